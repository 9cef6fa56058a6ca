"""Weights, probe intervals, and what holds for every history of probes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.config.federation import HealthSettings
from binder_federation.health.state import (
    Doubt,
    Health,
    MemberState,
    effective_weight,
    next_probe_seconds,
    observe_probe,
)

SETTINGS = HealthSettings()
PROBES = st.lists(st.tuples(st.floats(0.1, 100.0), st.booleans()), max_size=60)


def follow(probes: list[tuple[float, bool]]) -> tuple[Health, float]:
    """The health after `probes` (seconds since the last one, passed), and the time."""
    health, now = Health(), 0.0
    for seconds, passed in probes:
        now += seconds
        reason = "ok" if passed else "timeout"
        health = observe_probe(health, passed, reason, now=now, settings=SETTINGS)
    return health, now


def recovering(since: float = 0.0) -> Health:
    return Health(probed=MemberState.RECOVERING, probed_since=since, is_slow_start_owed=True)


@pytest.mark.parametrize(
    ("health", "now", "weight"),
    [
        (Health(probed=MemberState.UP), 0.0, 2.0),
        (Health(probed=MemberState.UP, doubt=Doubt.VOTES), 0.0, 0.6),
        (recovering(), 0.0, 0.2),
        (recovering(), 90.0, 0.2),
        (recovering(), 450.0, 1.0),
        (recovering(), 900.0, 2.0),
        (recovering(), 9000.0, 2.0),
        (Health(probed=MemberState.SUSPECT), 0.0, 2.0),
        # Ejected: the whole share, as it gets launches in panic only. Then a ramp of a minute.
        (Health(probed=MemberState.UP, is_ejected=True, ejected_until=30.0), 0.0, 2.0),
        (Health(probed=MemberState.UP, ejected_until=30.0), 30.0, 0.2),
        (Health(probed=MemberState.UP, ejected_until=30.0), 60.0, 1.0),
        (Health(probed=MemberState.UP, ejected_until=30.0), 90.0, 2.0),
        (Health(probed=MemberState.UP, ejected_until=30.0, doubt=Doubt.LAUNCHES), 60.0, 0.3),
        (replace(recovering(), ejected_until=30.0), 450.0, 1.0),
        (replace(recovering(), ejected_until=430.0), 450.0, 2 / 3),
        (Health(probed=MemberState.SUSPECT, is_slow_start_owed=True), 500.0, 0.2),
    ],
)
def test_effective_weight(health: Health, now: float, weight: float) -> None:
    assert effective_weight(2.0, health, now=now, settings=SETTINGS) == pytest.approx(weight)


def test_down_is_probed_ever_more_rarely() -> None:
    health = Health()
    pauses = []
    for second in range(10):
        health = observe_probe(health, False, "refused", now=float(second), settings=SETTINGS)
        pauses.append(next_probe_seconds(health, settings=SETTINGS))
    assert pauses == [10, 10, 10, 10, 10, 20, 40, 60, 60, 60]


def test_down_that_passes_is_probed_as_usual_until_it_misses() -> None:
    health, now = follow([(1.0, True), *[(1.0, False)] * 8])
    assert next_probe_seconds(health, settings=SETTINGS) == 60
    health = observe_probe(health, True, "ok", now=now + 1, settings=SETTINGS)
    assert next_probe_seconds(health, settings=SETTINGS) == 10
    health = observe_probe(health, False, "refused", now=now + 2, settings=SETTINGS)
    assert next_probe_seconds(health, settings=SETTINGS) == 60


@given(probes=PROBES, first=st.floats(0, 2000), second=st.floats(0, 2000))
def test_time_alone_never_lowers_the_weight(
    probes: list[tuple[float, bool]], first: float, second: float
) -> None:
    health, now = follow(probes)
    sooner, later = sorted((first, second))
    assert effective_weight(1.0, health, now=now + sooner, settings=SETTINGS) <= effective_weight(
        1.0, health, now=now + later, settings=SETTINGS
    )


@given(probes=PROBES)
def test_weight_stays_between_the_floor_and_the_whole(probes: list[tuple[float, bool]]) -> None:
    health, now = follow(probes)
    weight = effective_weight(1.0, health, now=now, settings=SETTINGS)
    assert SETTINGS.slow_start_floor <= weight <= 1.0


@given(probes=PROBES)
def test_a_pass_never_makes_a_state_worse(probes: list[tuple[float, bool]]) -> None:
    rank = {
        MemberState.UNKNOWN: 0,
        MemberState.DOWN: 0,
        MemberState.SUSPECT: 1,
        MemberState.RECOVERING: 2,
        MemberState.UP: 3,
    }
    health, now = follow(probes)
    passed = observe_probe(health, True, "ok", now=now + 1, settings=SETTINGS)
    missed = observe_probe(health, False, "timeout", now=now + 1, settings=SETTINGS)
    assert rank[passed.state] >= rank[health.state]
    assert rank[missed.state] <= rank[health.state]


@given(probes=PROBES)
def test_out_is_never_left_without_enough_passes(probes: list[tuple[float, bool]]) -> None:
    ended = [(1.0, True), *probes, *[(1.0, False)] * 5]
    health, _ = follow(ended)
    assert health.state is MemberState.DOWN
    for passes in range(1, SETTINGS.passes_to_recover):
        after, _ = follow([*ended, *[(100.0, True)] * passes])
        assert after.state is MemberState.DOWN


@given(probes=PROBES)
def test_whoever_was_down_gets_the_full_weight_only_after_slow_start(
    probes: list[tuple[float, bool]],
) -> None:
    """From DOWN to UP takes at least the ramp, whatever happens in between."""
    health, now = follow([(1.0, True), *[(1.0, False)] * 5])
    down_at = now
    for seconds, passed in probes:
        now += seconds
        health = observe_probe(health, passed, "x", now=now, settings=SETTINGS)
        if health.state is MemberState.UP:
            assert now - down_at >= SETTINGS.slow_start_seconds + SETTINGS.recover_after_seconds
            return
        if health.state is MemberState.DOWN:
            down_at = health.probed_since
