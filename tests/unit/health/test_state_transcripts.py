"""The health state machine as transcripts: at a second, a probe passes or misses → state."""

import math
from dataclasses import dataclass

import pytest

from binder_federation.config.federation import HealthSettings
from binder_federation.health.state import (
    Doubt,
    Health,
    MemberState,
    effective_weight,
    next_probe_seconds,
    observe_admission,
    observe_doubt,
    observe_drain,
    observe_ejection,
    observe_ejection_end,
    observe_probe,
)

SETTINGS = HealthSettings()


@dataclass(frozen=True)
class Story:
    """A transcript of lines `second event state`; lines that begin with # are left out."""

    name: str
    text: str

    def lines(self) -> list[tuple[float, str, str]]:
        rows = [line.split() for line in self.text.strip().splitlines()]
        return [(float(row[0]), row[1], row[2]) for row in rows if not row[0].startswith("#")]


STORIES = [
    Story(
        "a new member is UP with its first pass",
        """
        0   pass  up
        10  pass  up
        """,
    ),
    Story(
        "one miss is not held against a member",
        """
        0   pass  up
        10  miss  up
        20  pass  up
        30  miss  up
        40  pass  up
        """,
    ),
    Story(
        "two misses make it SUSPECT, a pass makes it UP again",
        """
        0   pass  up
        10  miss  up
        20  miss  suspect
        30  pass  up
        40  miss  up
        50  miss  suspect
        """,
    ),
    Story(
        "three more misses make it DOWN",
        """
        0   pass  up
        10  miss  up
        20  miss  suspect
        30  miss  suspect
        40  miss  suspect
        50  miss  down
        60  miss  down
        """,
    ),
    Story(
        "a member that never answered is UNKNOWN, then DOWN by the same count",
        """
        0   miss  unknown
        10  miss  unknown
        20  miss  unknown
        30  miss  unknown
        40  miss  down
        """,
    ),
    Story(
        "DOWN from the beginning is UP with its first pass: nobody was moved away from it",
        """
        0   miss  unknown
        1   miss  unknown
        2   miss  unknown
        3   miss  unknown
        4   miss  down
        5   pass  up
        6   miss  up
        7   miss  suspect
        """,
    ),
    Story(
        "a member that was slow to begin with starts at once",
        """
        0   miss  unknown
        10  miss  unknown
        20  miss  unknown
        30  pass  up
        """,
    ),
    Story(
        "DOWN needs three passes, and thirty seconds of them",
        """
        0   pass  up
        10  miss  up
        20  miss  suspect
        30  miss  suspect
        40  miss  suspect
        50  miss  down
        60  pass  down
        70  pass  down
        80  pass  down
        90  pass  recovering
        """,
    ),
    Story(
        "passes at long intervals still have to be three",
        """
        0   pass  up
        1   miss  up
        2   miss  suspect
        3   miss  suspect
        3.5 miss  suspect
        4   miss  down
        60  pass  down
        100 pass  down
        140 pass  recovering
        """,
    ),
    Story(
        "a miss on the way back begins the thirty seconds anew",
        """
        0   pass  up
        1   miss  up
        2   miss  suspect
        3   miss  suspect
        3.5 miss  suspect
        4   miss  down
        10  pass  down
        20  pass  down
        30  miss  down
        40  pass  down
        50  pass  down
        60  pass  down
        70  pass  recovering
        """,
    ),
    Story(
        "RECOVERING is UP when the ramp is full",
        """
        0   pass  up
        1   miss  up
        2   miss  suspect
        3   miss  suspect
        3.5 miss  suspect
        4   miss  down
        10  pass  down
        25  pass  down
        40  pass  recovering
        500 miss  recovering
        510 pass  recovering
        939 pass  recovering
        940 pass  up
        """,
    ),
    Story(
        "one that is SUSPECT while RECOVERING owes its whole slow start again",
        """
        0    pass  up
        1    miss  up
        2    miss  suspect
        3    miss  suspect
        3.5  miss  suspect
        4    miss  down
        10   pass  down
        25   pass  down
        40   pass  recovering
        800  miss  recovering
        810  miss  suspect
        820  pass  recovering
        1000 pass  recovering
        1719 pass  recovering
        1720 pass  up
        """,
    ),
    Story(
        "deploy #3251: 90 s good, 60 s bad never gets past slow start",
        """
        0    pass  up
        # bad
        10   miss  up
        20   miss  suspect
        30   miss  suspect
        40   miss  suspect
        50   miss  down
        60   miss  down
        # good
        70   pass  down
        80   pass  down
        90   pass  down
        100  pass  recovering
        150  pass  recovering
        # bad
        160  miss  recovering
        170  miss  suspect
        180  miss  suspect
        190  miss  suspect
        200  miss  down
        210  miss  down
        # good
        220  pass  down
        230  pass  down
        240  pass  down
        250  pass  recovering
        300  pass  recovering
        """,
    ),
    Story(
        "probes go on under draining, and afterwards the member is what they say",
        """
        0   pass     up
        5   drain    draining
        10  miss     draining
        20  miss     draining
        25  undrain  suspect
        26  drain    draining
        30  miss     draining
        40  miss     draining
        50  miss     draining
        55  undrain  down
        """,
    ),
    Story(
        "a member that is draining from the start is not UNKNOWN afterwards",
        """
        0   drain    draining
        1   pass     draining
        2   undrain  up
        """,
    ),
]


def replay(story: Story) -> list[tuple[float, str, str]]:
    """The story's events with the states that really follow."""
    health = Health()
    told = []
    for second, event, _ in story.lines():
        if event in ("drain", "undrain"):
            health = observe_drain(health, event == "drain", now=second)
        else:
            reason = "ok" if event == "pass" else "timeout"
            health = observe_probe(health, event == "pass", reason, now=second, settings=SETTINGS)
        told.append((second, event, health.state.value))
    return told


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_story(story: Story) -> None:
    assert replay(story) == story.lines()


def test_health_tells_reason_and_time() -> None:
    health = observe_probe(Health(), True, "ok", now=10.0, settings=SETTINGS)
    assert (health.reason, health.since, health.last_well_at) == ("ok", 10.0, 10.0)
    health = observe_probe(health, False, "tls", now=20.0, settings=SETTINGS)
    health = observe_probe(health, False, "tls", now=30.0, settings=SETTINGS)
    assert health.state is MemberState.SUSPECT
    assert (health.reason, health.since, health.last_well_at) == ("tls", 30.0, 10.0)
    health = observe_drain(health, True, now=40.0)
    assert (health.state, health.since) == (MemberState.DRAINING, 40.0)
    assert observe_drain(health, True, now=50.0) is health


def test_doubt_makes_up_degraded_and_nothing_else() -> None:
    health = observe_probe(Health(), True, "ok", now=10.0, settings=SETTINGS)
    health = observe_doubt(health, Doubt.LAUNCHES, now=20.0)
    assert (health.state, health.since) == (MemberState.DEGRADED, 20.0)
    assert observe_doubt(health, Doubt.LAUNCHES, now=25.0) is health
    assert observe_doubt(health, Doubt.VOTES, now=25.0).since == 20.0, "as long in doubt"
    for now in (30.0, 40.0):
        health = observe_probe(health, False, "timeout", now=now, settings=SETTINGS)
    assert health.state is MemberState.SUSPECT
    health = observe_probe(health, True, "ok", now=50.0, settings=SETTINGS)
    assert (health.state, health.since) == (MemberState.DEGRADED, 50.0)
    health = observe_doubt(health, None, now=60.0)
    assert (health.state, health.since) == (MemberState.UP, 50.0)


def test_an_ejection_is_another_axis_and_ends_by_time_alone() -> None:
    health = observe_probe(Health(), True, "ok", now=10.0, settings=SETTINGS)
    health = observe_ejection(health, until=50.0)
    assert (health.state, health.is_ejected) == (MemberState.UP, True)
    health = observe_probe(health, True, "ok", now=20.0, settings=SETTINGS)
    assert observe_ejection_end(health, now=49.9) is health
    health = observe_ejection_end(health, now=50.0)
    assert (health.is_ejected, health.ejected_until) == (False, 50.0)
    assert observe_ejection_end(health, now=60.0) is health


def test_who_is_admitted_starts_slowly() -> None:
    up = observe_probe(Health(), True, "ok", now=0.0, settings=SETTINGS)
    admitted = observe_admission(up, 100.0, now=101.0)
    assert (admitted.state, admitted.since) == (MemberState.RECOVERING, 100.0)
    assert effective_weight(10.0, admitted, now=550.0, settings=SETTINGS) == 5.0
    assert observe_admission(admitted, 100.0, now=200.0) is admitted, "it is admitted once"
    over = observe_probe(admitted, True, "ok", now=1000.0, settings=SETTINGS)
    assert over.state is MemberState.UP


def test_a_replica_that_starts_goes_on_with_the_slow_start() -> None:
    """Its first pass would make any other member UP."""
    for now, state in ((200.0, MemberState.RECOVERING), (1000.0, MemberState.UP)):
        begun = Health(admitted_at=100.0)
        health = observe_probe(begun, True, "ok", now=now, settings=SETTINGS)
        assert health.state is state
    recovering = observe_probe(Health(admitted_at=100.0), True, "ok", now=550.0, settings=SETTINGS)
    assert effective_weight(10.0, recovering, now=550.0, settings=SETTINGS) == 5.0


def test_a_member_that_is_out_is_admitted_all_the_same() -> None:
    down = Health(probed=MemberState.DOWN)
    assert observe_admission(down, 100.0, now=101.0).state is MemberState.DOWN


def test_patience_is_with_down_alone() -> None:
    health = observe_probe(Health(), True, "ok", now=0.0, settings=SETTINGS)
    for second in range(1, 100):
        health = observe_probe(
            health, False, "timeout", now=float(second), settings=SETTINGS, patience=math.inf
        )
        assert health.state is (MemberState.UP if second < 2 else MemberState.SUSPECT)
    assert health.missing_since == 1.0
    health = observe_probe(health, False, "timeout", now=100.0, settings=SETTINGS)
    assert health.state is MemberState.DOWN, "its misses were counted all along"
    assert next_probe_seconds(health, settings=SETTINGS) == 10, "and its pauses grow from here"
