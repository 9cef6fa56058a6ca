"""Names, averages, inventory changes, ordinals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.binder.messages import ImageRecord
from binder_federation.binder.spec import LaunchSpec
from binder_federation.cluster_agent.builds import ordinal
from binder_federation.cluster_agent.core.averages import Average, observe_seconds
from binder_federation.cluster_agent.core.inventory import find_changes
from binder_federation.cluster_agent.core.names import user_name


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        ("Owner/My.Repo", "owner-my-repo-abcd1234"),
        ("https://git.example.org/group/sub/repo.git", "sub-repo-abcd1234"),
        ("file:///srv/examples/hello", "examples-hello-abcd1234"),
        ("---/…", "repository-abcd1234"),
    ],
)
def test_user_names_are_readable(repository: str, expected: str) -> None:
    assert user_name(LaunchSpec("gh", repository, "HEAD"), "abcd1234") == expected


@given(st.text(max_size=300))
def test_user_names_are_plain_and_short(repository: str) -> None:
    name = user_name(LaunchSpec("git", repository, "HEAD"), "abcd1234")
    assert len(name) <= 41
    assert all(c in "abcdefghijklmnopqrstuvwxyz0123456789-" for c in name)
    assert not name.startswith("-")


def test_the_average_settles_and_forgives_an_outlier() -> None:
    average = Average()
    for _ in range(20):
        average = observe_seconds(average, 60.0)
    assert average.seconds == pytest.approx(60.0)
    average = observe_seconds(average, 3600.0)
    assert average.seconds is not None
    assert 60 < average.seconds < 100


@given(st.lists(st.floats(0.001, 1e5), min_size=1))
def test_the_average_stays_between_the_extremes(observed: list[float]) -> None:
    average = Average()
    for seconds in observed:
        average = observe_seconds(average, seconds)
    assert average.seconds is not None
    assert min(observed) * 0.999 <= average.seconds <= max(observed) * 1.001


records = st.builds(
    ImageRecord,
    key=st.sampled_from([f"{n:032x}" for n in range(6)]),
    repository=st.just("gh/o/r"),
    size_bytes=st.integers(0, 3),
)


@given(st.lists(records), st.lists(records))
def test_changes_applied_give_what_there_is(
    before: list[ImageRecord], now: list[ImageRecord]
) -> None:
    known = {record.key: record for record in before}
    wanted = {record.key: record for record in now}
    changes = find_changes(known, wanted.values())
    for key in changes.removed:
        del known[key]
    known.update({record.key: record for record in changes.images})
    assert known == wanted


@pytest.mark.parametrize(
    ("number", "text"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd")]
)
def test_ordinals(number: int, text: str) -> None:
    assert ordinal(number) == text
