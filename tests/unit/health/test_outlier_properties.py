"""What holds of outlier detection for every history of launches."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.health.outliers import (
    Counts,
    OutlierRecord,
    eject,
    observe_outcome,
    success_share,
    wilson_upper,
)
from tests.unit.health.launch_stories import SETTINGS, Fleet

NAMES = "abcdefg"


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, list[tuple[float, str, bool]]]:
    """How many members, and launches: seconds since the one before, where, whether well."""
    size = draw(st.integers(1, len(NAMES)))
    launch = st.tuples(
        st.sampled_from([0.0, 0.5, 5.0, 20.0, 100.0]),
        st.sampled_from(NAMES[:size]),
        st.booleans() | st.just(False),
    )
    return size, draw(st.lists(launch, max_size=120))


def play(size: int, launches: list[tuple[float, str, bool]]) -> Fleet:
    fleet, now = Fleet(NAMES[:size]), 1000.0
    for seconds, name, is_success in launches:
        now += seconds
        fleet.launch(name, is_success, now)
    return fleet


@given(history=histories())
def test_never_more_than_half_are_out(history: tuple[int, list[tuple[float, str, bool]]]) -> None:
    size, launches = history
    assert play(size, launches).most_out <= size / 2


@given(history=histories())
def test_an_ejection_takes_its_base_time_to_its_most(
    history: tuple[int, list[tuple[float, str, bool]]],
) -> None:
    for _, _, seconds in play(*history).ejections:
        assert SETTINGS.eject_seconds <= seconds <= SETTINGS.eject_max_seconds


@given(history=histories(), lucky=st.sampled_from(NAMES))
def test_whoever_never_fails_is_never_out_and_never_in_doubt(
    history: tuple[int, list[tuple[float, str, bool]]], lucky: str
) -> None:
    size, launches = history
    fleet = play(size, [(s, name, ok or name == lucky) for s, name, ok in launches])
    assert lucky not in {name for _, name, _ in fleet.ejections}
    if lucky in fleet.names:
        assert not fleet.is_doubtful(lucky, 1e6)
        assert fleet.evidence.success_share(lucky, now=1e6) == 1.0


@given(history=histories())
def test_forgetting_a_member_forgets_its_launches(
    history: tuple[int, list[tuple[float, str, bool]]],
) -> None:
    size, launches = history
    fleet = play(size, launches)
    for name in NAMES[:size]:
        fleet.evidence.forget(name, now=1e6)
    fleet.evidence.watch("new")
    assert not fleet.evidence.records["new"].counts.launches
    for second in range(3):  # against nobody: as if all others were well
        fleet.evidence.observe("new", False, now=1e6 + second)
    assert fleet.evidence.find_ejection("new", now=1e6 + 2) is not None


@given(
    gaps=st.lists(st.floats(0, 299), min_size=1, max_size=20),
)
def test_who_fails_again_soon_stays_out_for_longer_each_time(gaps: list[float]) -> None:
    record, now, before = OutlierRecord(), 0.0, 0.0
    for gap in gaps:
        now += gap
        record = eject(record, now=now, settings=SETTINGS)
        assert record.ejected_until is not None
        seconds = record.ejected_until - now
        assert math.isclose(seconds, min(before + 30.0, 300.0), abs_tol=1e-6)
        now, before = record.ejected_until, seconds


@given(outcomes=st.lists(st.booleans(), max_size=60))
def test_the_success_share_is_a_share_and_falls_with_failures(outcomes: list[bool]) -> None:
    record = OutlierRecord()
    for now, is_success in enumerate(outcomes):
        before = success_share(record, now=now, settings=SETTINGS)
        record = observe_outcome(record, is_success, now=now, settings=SETTINGS)
        after = success_share(record, now=now, settings=SETTINGS)
        assert 0.0 < after <= 1.0
        assert (after >= before) if is_success else (after < before)


@pytest.mark.parametrize(
    ("successes", "launches", "bound"),
    [
        # Values as published calculators give them.
        (0, 0, 1.0),
        (0, 1, 0.7935),
        (0, 3, 0.5615),
        (0, 5, 0.4345),
        (1, 10, 0.4042),
        (5, 10, 0.7634),
        (10, 10, 1.0),
        (90, 100, 0.9448),
    ],
)
def test_wilson(successes: float, launches: float, bound: float) -> None:
    assert wilson_upper(successes, launches) == pytest.approx(bound, abs=1e-4)


def test_counts_fade_and_a_clock_set_back_changes_nothing() -> None:
    counts = (
        Counts()
        .adding(True, now=100.0, memory_seconds=300)
        .adding(False, now=100.0, memory_seconds=300)
    )
    later = counts.at_time(400.0, memory_seconds=300)
    assert later.successes == later.failures == pytest.approx(math.exp(-1))
    assert counts.at_time(50.0, memory_seconds=300) is counts
    assert counts.adding(True, now=50.0, memory_seconds=300) == Counts(2.0, 1.0, 100.0)
