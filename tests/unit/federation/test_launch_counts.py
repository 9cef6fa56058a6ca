"""What launches that ended add up to."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.federation.history.launch_counts import (
    EndedLaunch,
    Sums,
    add_up,
    count,
    slot_of,
    slot_seconds,
    sums_by_member,
)


def sums(*launches: EndedLaunch) -> dict[str, Sums]:
    return sums_by_member([count(launch) for launch in launches])


def test_a_failover_counts_against_the_first_and_for_the_last() -> None:
    told = sums(
        EndedLaunch("beta", "alpha", is_ready=True, seconds=20),
        EndedLaunch("alpha", "alpha", is_ready=True, seconds=10),
    )
    assert (told["alpha"].launches, told["alpha"].first, told["alpha"].first_ready) == (1, 2, 1)
    assert (told["beta"].launches, told["beta"].first, told["beta"].ready) == (1, 0, 1)
    assert told["alpha"].first_attempt_share == 0.5
    assert told["beta"].first_attempt_share is None, "nothing was tried there first"


def test_a_repositorys_failure_says_nothing_of_a_member() -> None:
    told = sums(EndedLaunch("alpha", "alpha", is_ready=False, says_nothing=True))
    assert (told["alpha"].launches, told["alpha"].first) == (1, 0)


def test_a_launch_without_a_member_counts_for_the_federation() -> None:
    assert sums(EndedLaunch("", "", is_ready=False))[""].launches == 1


@given(st.lists(st.floats(1, 3000), min_size=1))
def test_the_median_is_within_a_tenth(seconds: list[float]) -> None:
    counts = [count(EndedLaunch("a", "a", is_ready=True, seconds=each)) for each in seconds]
    told = sums_by_member(counts)["a"].median_seconds
    assert told is not None
    exact = sorted(seconds)[(len(seconds) - 1) // 2]
    assert told == pytest.approx(exact, rel=0.1)


def test_sums_of_nothing_say_nothing() -> None:
    assert sums_by_member([Counter()]) == {}
    assert add_up([]) == Sums()
    assert (Sums().first_attempt_share, Sums().median_seconds) == (None, None)
    assert slot_of(0) == 0
    assert slot_seconds(slot_of(1e9)) > 3600
