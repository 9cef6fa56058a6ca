"""Keys name the same thing everywhere, however it was spelt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.binder.errors import InvalidSpec
from binder_federation.binder.spec import MAX_SPEC_LENGTH, LaunchSpec, split_path

names = st.text(min_size=1, max_size=40)
commits = st.text("0123456789abcdef", min_size=40, max_size=40)


@given(repository=names, ref=names, commit=commits)
def test_image_key_does_not_depend_on_how_it_was_asked_for(
    repository: str, ref: str, commit: str
) -> None:
    spec = LaunchSpec("gh", repository, ref)
    key = spec.image_key(commit)
    assert key == spec.at("HEAD").image_key(commit)
    assert key == LaunchSpec("gh", f"{repository}.git", ref).image_key(commit)
    assert len(key) == 32
    assert int(key, 16) >= 0


@given(repository=names, one=commits, two=commits)
def test_another_commit_is_another_image(repository: str, one: str, two: str) -> None:
    spec = LaunchSpec("git", repository, "HEAD")
    assert (spec.image_key(one) == spec.image_key(two)) == (one == two)


@pytest.mark.parametrize(
    "spelling", ["Ada/Engine", "ada/engine", "ada/engine.git", "ada/ENGINE/", "ada/engine.git/"]
)
def test_affinity_key_folds_spellings(spelling: str) -> None:
    assert LaunchSpec("gh", spelling, "x").affinity_key == "gh/ada/engine"


def test_affinity_key_tells_providers_apart() -> None:
    one, two = LaunchSpec("gh", "a/b", "HEAD"), LaunchSpec("git", "a/b", "HEAD")
    assert one.affinity_key != two.affinity_key
    assert one.image_key("0" * 40) != two.image_key("0" * 40)


def test_split_path_splits_once() -> None:
    assert split_path("gh/ada/engine/a%2Fb") == ("gh", "ada/engine/a%2Fb")


@pytest.mark.parametrize("path", ["", "gh", "gh/", "/ada/engine", "/"])
def test_split_path_refuses_half_a_path(path: str) -> None:
    with pytest.raises(InvalidSpec, match="names no repository"):
        split_path(path)


def test_split_path_refuses_a_megabyte() -> None:
    with pytest.raises(InvalidSpec, match="1,000,003 characters long"):
        split_path("gh/" + "x" * 1_000_000)
    assert split_path("gh/" + "x" * (MAX_SPEC_LENGTH - 3))[0] == "gh"
