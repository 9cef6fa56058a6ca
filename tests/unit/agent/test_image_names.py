"""Repository and key → tag; tag and labels → key."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.binder.spec import ImageKey, LaunchSpec
from binder_federation.cluster_agent.core.image_names import (
    image_labels,
    image_reference,
    image_tag,
    key_in_tag,
    read_labels,
)

KEY = ImageKey("0123456789abcdef" * 2)
TAG_GRAMMAR = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")

providers = st.sampled_from(["gh", "git", "gl"])
specs = st.builds(LaunchSpec, providers, st.text(max_size=300), st.text(max_size=20))


@pytest.mark.parametrize(
    ("provider", "repository", "slug"),
    [
        ("gh", "Binder-Examples/Requirements", "binder-examples-requirements"),
        ("git", "https://git.example.org/group/sub/repo.git", "sub-repo"),
        ("gl", "group/Sub.Group/repo_1", "sub-group-repo-1"),
        ("gh", f"{'o' * 60}/{'n' * 60}", f"ooo-{'n' * 60}"),
        ("gh", "…/…", "repository"),
    ],
)
def test_tags_are_readable(provider: str, repository: str, slug: str) -> None:
    assert image_tag(LaunchSpec(provider, repository, "HEAD"), KEY) == f"{slug}-{KEY}"


@given(specs)
def test_tags_are_tags_and_lead_back_to_the_key(spec: LaunchSpec) -> None:
    tag = image_tag(spec, KEY)
    assert TAG_GRAMMAR.fullmatch(tag), f"no registry takes {tag!r}"
    assert key_in_tag(tag) == KEY


@given(providers, st.text("aBc/.-ßİ", min_size=1, max_size=30))
def test_spellings_that_share_a_key_share_the_tag(provider: str, repository: str) -> None:
    one = LaunchSpec(provider, repository, "HEAD")
    other = LaunchSpec(provider, f"{repository.casefold()}.git/", "HEAD")
    if one.image_key("c0ffee") == other.image_key("c0ffee"):
        assert image_tag(one, KEY) == image_tag(other, KEY)


@pytest.mark.parametrize(
    "tag",
    [
        "latest",
        "",
        KEY,
        f"-{KEY}",
        f"owner-name-{KEY[:-1]}",
        f"owner-name-{KEY}0",
        f"owner-name-{KEY.upper()}",
        f"Owner-{KEY}",
        f"owner_name-{KEY}",
        f"{'o' * 128}-{KEY}",
        f"owner-name-{KEY}\n",
    ],
)
def test_foreign_tags_have_no_key(tag: str) -> None:
    assert key_in_tag(tag) is None


@given(specs, st.text(max_size=60))
def test_labels_lead_back_to_the_image(spec: LaunchSpec, ref: str) -> None:
    labels = image_labels(spec, ref)
    assert labels.key == spec.image_key(ref)
    assert read_labels(labels.to_mapping()) == labels


@given(st.dictionaries(st.text(max_size=40), st.text(max_size=40)))
def test_labels_of_others_are_none_of_ours(labels: dict[str, str]) -> None:
    assert read_labels(labels) is None


def test_labels_with_a_broken_key_are_none_of_ours() -> None:
    labels = image_labels(LaunchSpec("gh", "o/r", "HEAD"), "c0ffee").to_mapping()
    assert read_labels({**labels, "org.binder-federation.key": "../../etc"}) is None


def test_a_reference_is_repository_and_tag() -> None:
    assert image_reference("registry.example.org/b/images", "o-r-1") == (
        "registry.example.org/b/images:o-r-1"
    )
