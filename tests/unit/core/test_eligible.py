"""Filters and panic, as tables and as properties."""

from collections.abc import Mapping

import pytest
from hypothesis import given

from binder_federation.federation.core.eligible import Refusal, eligible, explain_refusal
from binder_federation.federation.core.snapshot import Fleet, Load, MemberView
from binder_federation.health.state import MemberState
from tests.unit.core.fleets import NOW, SETTINGS, fleets, make_fleet, make_member

UP, SUSPECT, DOWN = MemberState.UP, MemberState.SUSPECT, MemberState.DOWN


def states(**by_name: MemberState) -> Fleet:
    return make_fleet(*(make_member(name, state=state) for name, state in by_name.items()))


def names(fleet: Fleet, exclude: frozenset[str] = frozenset()) -> list[str]:
    found = eligible(fleet, now=NOW, exclude=exclude, settings=SETTINGS)
    return [member.name for member in found.members]


@pytest.mark.parametrize(
    ("member", "refusal"),
    [
        (make_member("b"), None),
        (make_member("b", state=MemberState.DEGRADED), None),
        (make_member("b", state=MemberState.RECOVERING), None),
        (make_member("b", state=MemberState.UNKNOWN), Refusal.UNKNOWN),
        (make_member("b", state=SUSPECT), Refusal.SUSPECT),
        (make_member("b", state=DOWN), Refusal.DOWN),
        (make_member("b", state=MemberState.DRAINING), Refusal.DRAINING),
        (make_member("b", is_draining=True), Refusal.DRAINING),
        (make_member("b", is_compatible=False), Refusal.INCOMPATIBLE),
        (make_member("b", load=Load(capacity=10, running=7, pending=3)), Refusal.FULL),
        (make_member("b", load=Load(capacity=10, running=7, pending=2)), None),
        (make_member("b", load=Load(capacity=0)), Refusal.FULL),
        (make_member("b", load=None), None),
    ],
)
def test_filters(member: MemberView, refusal: Refusal | None) -> None:
    fleet = make_fleet(make_member("a"), member)
    found = eligible(fleet, now=NOW, settings=SETTINGS)
    assert found.refused.get("b") == refusal
    assert ("b" in {m.name for m in found.members}) is (refusal is None)
    assert not found.is_panic


def test_a_member_that_was_tried_is_left_out() -> None:
    found = eligible(
        states(a=UP, b=UP, c=UP), now=NOW, exclude=frozenset({"a", "no-such"}), settings=SETTINGS
    )
    assert [member.name for member in found.members] == ["b", "c"]
    assert found.refused == {"a": Refusal.TRIED}


@pytest.mark.parametrize(
    ("fleet", "expected"),
    [
        # Half of the weight is enough; less than half is panic.
        (states(a=UP, b=SUSPECT), ["a"]),
        (states(a=UP, b=SUSPECT, c=SUSPECT), ["a", "b", "c"]),
        (states(a=UP, b=SUSPECT, c=DOWN), ["a", "b"]),
        (states(a=SUSPECT, b=DOWN), ["a"]),
        # It is the weight that counts, not the heads.
        (
            make_fleet(
                make_member("a", weight=3.0),
                make_member("b", state=SUSPECT),
                make_member("c", state=SUSPECT),
            ),
            ["a"],
        ),
        # All DOWN: those that were well in the last ten minutes.
        (
            make_fleet(
                make_member("a", state=DOWN, last_well_at=NOW - 599),
                make_member("b", state=DOWN, last_well_at=NOW - 601),
                make_member("c", state=DOWN, last_well_at=None),
            ),
            ["a"],
        ),
        (states(a=DOWN, b=UP), ["b"]),
        # A member that has not been probed yet is no help, even then.
        (states(a=MemberState.UNKNOWN, b=DOWN), ["b"]),
        # Draining, full and incompatible members stay out even in panic.
        (
            make_fleet(
                make_member("a", state=DOWN),
                make_member("b", state=DOWN, is_draining=True),
                make_member("c", state=DOWN, is_compatible=False),
                make_member("d", state=DOWN, load=Load(capacity=5, running=5)),
            ),
            ["a"],
        ),
        # A member that drains, or is new, says nothing about the fleet's health.
        (
            make_fleet(
                make_member("a"),
                make_member("b", state=SUSPECT),
                make_member("c", state=MemberState.DRAINING),
                make_member("d", state=MemberState.UNKNOWN),
            ),
            ["a"],
        ),
        # A full member is well: that the fleet is full is no reason to panic.
        (
            make_fleet(
                make_member("a", load=Load(capacity=1, running=1)),
                make_member("b", load=Load(capacity=1, running=1)),
                make_member("c", state=SUSPECT),
            ),
            [],
        ),
        (make_fleet(), []),
    ],
)
def test_panic(fleet: Fleet, expected: list[str]) -> None:
    assert names(fleet) == expected


def test_a_launch_whose_only_well_member_failed_goes_to_a_suspect_one() -> None:
    fleet = states(a=UP, b=SUSPECT)
    assert names(fleet) == ["a"]
    assert names(fleet, exclude=frozenset({"a"})) == ["b"]


def test_a_dead_member_gets_no_launch_because_the_other_failed_one() -> None:
    assert names(states(a=UP, b=DOWN), exclude=frozenset({"a"})) == []


@given(fleet=fleets())
def test_everybody_is_either_eligible_or_refused(fleet: Fleet) -> None:
    found = eligible(fleet, now=NOW, settings=SETTINGS)
    assert [m.name for m in fleet.members if m.name not in found.refused] == [
        m.name for m in found.members
    ]
    for name, refusal in found.refused.items():
        assert name in explain_refusal(fleet.by_name[name], refusal)


@given(fleet=fleets())
def test_panic_never_yields_nobody_when_someone_was_well_recently(fleet: Fleet) -> None:
    found = eligible(fleet, now=NOW, settings=SETTINGS)
    takes_launches = [
        m
        for m in fleet.members
        if not m.is_draining and m.is_compatible and not (m.load and m.load.is_full)
    ]
    fleet_is_down = all(
        m.state in (DOWN, MemberState.UNKNOWN)
        for m in fleet.members
        if m.is_compatible and not m.is_draining
    )
    may_help: Mapping[MemberState, bool] = {
        UP: True,
        MemberState.DEGRADED: True,
        MemberState.RECOVERING: True,
        SUSPECT: found.is_panic,
        DOWN: found.is_panic and fleet_is_down,
        MemberState.UNKNOWN: False,
    }
    helpers = [
        m.name
        for m in takes_launches
        if may_help[m.state]
        and (m.state is not DOWN or (m.last_well_at is not None and NOW - m.last_well_at <= 600))
    ]
    assert [m.name for m in found.members] == helpers


@given(fleet=fleets())
def test_a_full_or_draining_member_is_never_eligible(fleet: Fleet) -> None:
    for member in eligible(fleet, now=NOW, settings=SETTINGS).members:
        assert not member.is_draining
        assert member.is_compatible
        assert member.load is None or not member.load.is_full
