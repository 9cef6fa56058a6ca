"""The rate at which an image is asked for."""

import pytest

from binder_federation.federation.core.arrivals import (
    MEMORY_SECONDS,
    Rate,
    observe_arrival,
    rate_now,
)


def observe_all(times: list[float]) -> Rate:
    rate = Rate()
    for now in times:
        rate = observe_arrival(rate, now=now)
    return rate


def test_a_steady_stream_has_its_rate() -> None:
    rate = observe_all([2.0 * number for number in range(5000)])
    assert rate_now(rate, now=10_000.0) == pytest.approx(0.5, rel=0.02)


def test_a_burst_is_felt_at_once() -> None:
    """600 launches in a minute are 600 sessions: rate × session, at the end of that minute."""
    rate = observe_all([number / 10 for number in range(600)])
    assert rate_now(rate, now=60.0) * 1500.0 == pytest.approx(590, rel=0.02)


def test_what_nobody_asks_for_is_forgotten() -> None:
    rate = observe_all([float(number) for number in range(600)])
    assert rate_now(rate, now=600 + 10 * MEMORY_SECONDS) < 1e-4


def test_a_clock_that_went_back_does_no_harm() -> None:
    rate = observe_arrival(observe_arrival(Rate(), now=100.0), now=50.0)
    assert rate.at == 100.0
    assert rate_now(rate, now=0.0) == rate.per_second
