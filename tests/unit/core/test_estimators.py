"""What a member takes for a thing, from experience."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.federation.core.estimators import (
    LogMean,
    observe_seconds,
    shrunk_seconds,
)


def experience(*seconds: float) -> LogMean:
    estimate = LogMean()
    for each in seconds:
        estimate = observe_seconds(estimate, each)
    return estimate


def test_without_any_experience_the_settings_hold() -> None:
    assert shrunk_seconds(LogMean(), LogMean(), prior_seconds=180.0) == pytest.approx(180.0)


def test_a_new_member_is_judged_by_the_fleet() -> None:
    fleet = experience(*[20.0] * 500)
    assert 20.0 < shrunk_seconds(LogMean(), fleet, prior_seconds=180.0) < 100.0


def test_a_member_is_judged_by_itself_in_time() -> None:
    fleet, slow = experience(*[20.0] * 500), experience(*[60.0] * 500)
    expected = shrunk_seconds(slow, fleet, prior_seconds=20.0)
    assert expected == pytest.approx((20.0 * 60.0) ** 0.5), "half of it is its own experience"
    few = experience(60.0)
    assert shrunk_seconds(few, fleet, prior_seconds=20.0) < 22.0


def test_one_build_of_an_hour_does_not_make_a_member_slow() -> None:
    usual = experience(*[100.0] * 50)
    assert shrunk_seconds(
        observe_seconds(usual, 3600.0), LogMean(), prior_seconds=100.0
    ) == pytest.approx(100.0, rel=0.4)


def test_it_follows_a_change() -> None:
    changed = experience(*[100.0] * 50, *[30.0] * 50)
    assert shrunk_seconds(changed, LogMean(), prior_seconds=30.0) == pytest.approx(30.0, rel=0.05)


@given(st.lists(st.floats(0, 1e5), min_size=1, max_size=50))
def test_it_stays_within_what_was_seen(seconds: list[float]) -> None:
    estimate = shrunk_seconds(experience(*seconds), LogMean(), prior_seconds=10.0)
    floor = 0.01
    assert min(*seconds, 10.0) - 1e-6 <= estimate <= max(*seconds, 10.0) * (1 + 1e-9) + floor
