"""Filters and panic, as tables and as properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.federation.core.eligible import Refusal, eligible, explain_refusal
from binder_federation.federation.core.panic import is_all_down, is_panic, was_well_recently
from binder_federation.federation.core.snapshot import Fleet, Load, MemberView
from binder_federation.health.state import MemberState
from tests.unit.core.fleets import (
    NOW,
    SETTINGS,
    fleets,
    idle_fleet,
    make_fleet,
    make_member,
)

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
        (make_member("b", is_joining=True), Refusal.JOINING),
        (make_member("b", is_joining=True, state=DOWN), Refusal.JOINING),
        (make_member("b", is_compatible=False), Refusal.INCOMPATIBLE),
        (make_member("b", load=Load(capacity=10, running=7, pending=3)), Refusal.FULL),
        (make_member("b", load=Load(capacity=10, running=7, pending=2)), None),
        (make_member("b", load=Load(capacity=0)), Refusal.FULL),
        (make_member("b", load=None), None),
        (make_member("b", is_ejected=True), Refusal.EJECTED),
        (make_member("b", is_ejected=True, state=DOWN), Refusal.DOWN),
        (make_member("b", is_ejected=True, is_draining=True), Refusal.DRAINING),
        (make_member("b", is_ejected=True, load=Load(capacity=0)), Refusal.EJECTED),
    ],
)
def test_filters(member: MemberView, refusal: Refusal | None) -> None:
    fleet = make_fleet(make_member("a"), member)
    found = eligible(fleet, now=NOW, settings=SETTINGS)
    assert found.refused.get("b") == refusal
    assert ("b" in {m.name for m in found.members}) is (refusal is None)
    assert not found.is_panic


def test_a_full_member_that_answers_no_more_is_refused_for_that() -> None:
    full = Load(capacity=5, running=5)
    fleet = make_fleet(
        make_member("a", state=DOWN, load=full),
        make_member("b", state=DOWN, load=full),
        make_member("c", state=DOWN, is_ejected=True, load=full),
    )
    found = eligible(fleet, now=NOW, settings=SETTINGS)
    assert found.is_panic
    assert not found.members
    assert set(found.refused.values()) == {Refusal.DOWN}, "nobody is told to wait for a session"


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
                make_member("e", state=DOWN, is_joining=True),
                make_member("f", state=DOWN, is_joining=True),
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
        # An ejected member is not available, and helps in panic.
        (make_fleet(make_member("a"), make_member("b", is_ejected=True)), ["a"]),
        (
            make_fleet(
                make_member("a"), make_member("b", is_ejected=True), make_member("c", state=SUSPECT)
            ),
            ["a", "b", "c"],
        ),
        (make_fleet(make_member("a", is_ejected=True), make_member("b", state=DOWN)), ["a"]),
        (
            make_fleet(
                make_member("a", is_ejected=True, state=DOWN),
                make_member("b", is_ejected=True, state=DOWN, last_well_at=NOW - 601),
            ),
            ["a"],
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


def takes_launches(member: MemberView) -> bool:
    is_full = member.load is not None and member.load.is_full
    return member.is_compatible and not member.is_draining and not is_full


@given(fleet=fleets())
def test_panic_never_yields_nobody_when_someone_was_well_recently(fleet: Fleet) -> None:
    """Whoever is at least SUSPECT may help; where nobody is, those that were well lately."""
    found = eligible(fleet, now=NOW, settings=SETTINGS)
    usable = [m for m in fleet.members if m.is_compatible and not m.is_draining]
    is_all_down = all(m.state in (DOWN, MemberState.UNKNOWN) for m in usable)
    helpers = [
        m.name
        for m in usable
        if takes_launches(m)
        and (
            m.state not in (DOWN, MemberState.UNKNOWN)
            or (is_all_down and m.state is DOWN and (m.last_well_at or 0) >= NOW - 600)
        )
    ]
    if found.is_panic:
        assert [m.name for m in found.members] == helpers
    elif helpers:
        well = [m for m in usable if m.state.is_well and not m.is_ejected]
        assert sum(m.weight for m in well) >= 0.499 * sum(
            m.weight for m in usable if m.state is not MemberState.UNKNOWN
        ), "without panic at least half of the weight is well"


def find_eligible_plainly(fleet: Fleet, exclude: frozenset[str]) -> dict[str, Refusal | None]:
    """What `eligible` is to find, one member after the other and one rule after the other."""
    in_panic = is_panic(fleet.members, exclude=exclude, settings=SETTINGS)
    all_down = is_all_down(fleet.members)

    def refuse(member: MemberView) -> Refusal | None:
        if member.name in exclude:
            return Refusal.TRIED
        if member.is_draining:
            return Refusal.DRAINING
        if not member.is_compatible:
            return Refusal.INCOMPATIBLE
        if member.state is MemberState.UNKNOWN:
            return Refusal.UNKNOWN
        was_well = was_well_recently(member, now=NOW, settings=SETTINGS)
        if member.state is DOWN and not (in_panic and all_down and was_well):
            return Refusal.DOWN
        if member.state is SUSPECT and not in_panic:
            return Refusal.SUSPECT
        if member.is_ejected and not in_panic:
            return Refusal.EJECTED
        if member.load is None or not member.load.is_full:
            return None
        return {DOWN: Refusal.DOWN, SUSPECT: Refusal.SUSPECT}.get(member.state, Refusal.FULL)

    return {member.name: refuse(member) for member in fleet.members}


@given(
    fleet=fleets() | st.integers(0, 30).map(lambda n: idle_fleet(*(f"m{i}" for i in range(n)))),
    exclude=st.frozensets(st.sampled_from(["m0", "m1", "m2", "no-such"])),
)
def test_the_quick_way_finds_what_the_plain_way_finds(
    fleet: Fleet, exclude: frozenset[str]
) -> None:
    plain = find_eligible_plainly(fleet, exclude)
    found = eligible(fleet, now=NOW, exclude=exclude, settings=SETTINGS)
    assert [m.name for m in found.members] == [name for name, why in plain.items() if not why]
    assert list(found.refused.items()) == [(name, why) for name, why in plain.items() if why]
    assert found.is_panic is is_panic(fleet.members, exclude=exclude, settings=SETTINGS)


@given(fleet=fleets())
def test_a_full_or_draining_member_is_never_eligible(fleet: Fleet) -> None:
    for member in eligible(fleet, now=NOW, settings=SETTINGS).members:
        assert not member.is_draining
        assert member.is_compatible
        assert member.load is None or not member.load.is_full
