"""A fleet that was changed member by member is the fleet made anew."""

from hypothesis import given
from hypothesis import strategies as st

from binder_federation.federation.core.snapshot import Fleet, Load
from tests.unit.core.fleets import fleets, loads, make_member


@given(fleet=fleets(max_size=8), changes=st.lists(st.tuples(st.integers(0, 7), loads), max_size=6))
def test_changing_members_one_by_one(fleet: Fleet, changes: list[tuple[int, Load | None]]) -> None:
    members = list(fleet.members)
    for number, load in changes:
        if number < len(members):
            members[number] = members[number].with_load(load)
            fleet = fleet.with_members([members[number]])
    anew = Fleet(tuple(members))
    assert fleet == anew
    assert fleet.by_name == anew.by_name
    assert (fleet.used, fleet.capacity) == (anew.used, anew.capacity)


def test_a_load_is_all_that_changes_with_a_load() -> None:
    member = make_member("alpha", weight=2.0, is_ejected=True, success_share=0.5, used=3)
    assert member.with_load(None).with_load(member.load) == member
