"""Incidents and maintenance: what one member's conditions become."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.federation.history.episodes import (
    KEPT_SECONDS,
    MOST_EPISODES,
    Condition,
    Episode,
    EpisodeKind,
    MemberRecord,
    merge,
    observe,
    observe_leave,
    seconds_within,
)
from binder_federation.federation.history.record_codec import decode, encode
from binder_federation.health.state import MemberState

T = 1_700_000_000.0
UP = Condition(MemberState.UP, T)
SUSPECT = Condition(MemberState.SUSPECT, T, "timeout")
DRAINED = replace(UP, is_draining=True, drain_reason="new disks")
EJECTED = Condition(MemberState.UP, T + 5, "launches_failed", is_ejected=True)


def down(since: float) -> Condition:
    return Condition(MemberState.DOWN, since, "refused")


def play(*steps: tuple[float, Condition]) -> tuple[MemberRecord, list[list[object]]]:
    """The record after the steps, and its episodes: kind, begin, end (from T), times."""
    record = MemberRecord("alpha", T)
    for at, condition in steps:
        record = observe(record, condition, now=T + at)
    told: list[list[object]] = [
        [e.kind.value, e.began_at - T, None if e.ended_at is None else e.ended_at - T, e.times]
        for e in record.episodes
    ]
    return record, told


@pytest.mark.parametrize(
    ("steps", "episodes"),
    [
        pytest.param([(0, UP), (9, UP)], [], id="well"),
        pytest.param([(0, down(T))], [], id="never well yet"),
        pytest.param([(0, UP), (20, SUSPECT), (30, UP)], [], id="a few misses"),
        pytest.param(
            [(0, UP), (20, SUSPECT), (50, down(T + 18)), (60, down(T + 18))],
            [["incident", 18, None, 1]],
            id="dated back to the first miss",
        ),
        pytest.param(
            [(0, UP), (50, down(T + 18)), (90, replace(UP, probed=MemberState.RECOVERING))],
            [["incident", 18, 90, 1]],
            id="over when it recovers",
        ),
        pytest.param([(0, UP), (5, EJECTED), (35, UP)], [["incident", 5, 35, 1]], id="ejected"),
        pytest.param(
            [(0, UP), (50, down(T + 18)), (90, UP), (300, down(T + 280)), (400, UP)],
            [["incident", 18, 400, 2]],
            id="flapping is one incident",
        ),
        pytest.param(
            [(0, UP), (50, down(T + 18)), (90, UP), (900, down(T + 880))],
            [["incident", 18, 90, 1], ["incident", 880, None, 1]],
            id="later it is another one",
        ),
        pytest.param(
            [(0, UP), (10, DRAINED), (50, UP)], [["maintenance", 10, 50, 1]], id="drained"
        ),
        pytest.param(
            [(0, UP), (10, DRAINED), (50, replace(down(T + 30), is_draining=True)), (90, UP)],
            [["maintenance", 10, 90, 1]],
            id="what fails while drained is expected",
        ),
        pytest.param(
            [(0, UP), (50, down(T + 18)), (60, replace(down(T + 18), is_draining=True)), (90, UP)],
            [["incident", 18, 90, 1], ["maintenance", 60, 90, 1]],
            id="drained because it is down",
        ),
        pytest.param(
            [(0, UP), (50, down(T + 18)), (60, Condition(MemberState.UNKNOWN, T))],
            [["incident", 18, None, 1]],
            id="who does not know yet ends nothing",
        ),
    ],
)
def test_what_conditions_become(
    steps: list[tuple[float, Condition]], episodes: list[list[object]]
) -> None:
    assert play(*steps)[1] == episodes


def test_a_drain_takes_on_a_new_reason_and_end() -> None:
    longer = replace(DRAINED, drain_reason="new network", drain_until=T + 900)
    record, _ = play((0, UP), (10, DRAINED), (20, longer))
    assert [(e.reason, e.until) for e in record.episodes] == [("new network", T + 900)]


def test_who_leaves_has_nothing_open() -> None:
    record, _ = play((0, UP), (50, down(T + 18)))
    left = observe_leave(record, now=T + 99)
    assert [episode.ended_at for episode in left.episodes] == [T + 99]
    assert observe_leave(left, now=T + KEPT_SECONDS + 100).episodes == (), "90 days are kept"


CONDITIONS = st.builds(
    Condition,
    probed=st.sampled_from([MemberState.UP, MemberState.DOWN, MemberState.SUSPECT]),
    since=st.floats(T, T + 1000),
    is_ejected=st.booleans(),
    is_draining=st.booleans(),
)


@given(st.lists(st.tuples(st.floats(1, 2000), CONDITIONS), max_size=30))
def test_one_of_a_kind_is_open_and_none_ends_before_it_begins(
    steps: list[tuple[float, Condition]],
) -> None:
    now, record = T + 1000, MemberRecord("alpha", T)
    for pause, condition in steps:
        now += pause
        record = observe(record, condition, now=now)
        for kind in EpisodeKind:
            assert sum(e.is_open and e.kind is kind for e in record.episodes) <= 1
        assert all(e.ended_at is None or e.ended_at >= e.began_at for e in record.episodes)
        assert observe(record, condition, now=now) is record, "the same again changes nothing"
        ids = [episode.id for episode in record.episodes]
        assert len(ids) == len(set(ids)), "ids name one episode each"
    assert len(record.episodes) <= MOST_EPISODES
    assert decode(encode(record)) == record
    assert merge(record, record) == replace(record, episodes=merge(record, record).episodes)


def test_what_cannot_be_read_is_not_there() -> None:
    for body in (b"", b"[]", b"{}", b'{"member": "a", "tracked_since": 1, "episodes": [{}]}'):
        assert decode(body) is None


def test_merging_keeps_the_younger_word() -> None:
    ours, _ = play((0, UP), (50, down(T + 18)))
    theirs = observe(ours, UP, now=T + 70)
    assert merge(ours, theirs) == merge(theirs, ours) == theirs


def test_seconds_within_a_day() -> None:
    def episode(begin: float, end: float | None) -> Episode:
        return Episode("x", "alpha", EpisodeKind.INCIDENT, "", begin, begin, end)

    episodes = [episode(-50, 30), episode(80, 90), episode(95, None)]
    assert seconds_within(episodes, 0, 100, now=97) == 42
