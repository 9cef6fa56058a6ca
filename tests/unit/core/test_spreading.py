"""A hot repository gets as many members as its visitors need."""

from typing import Any

import pytest

from binder_federation.federation.core.rendezvous import rank_members
from binder_federation.federation.core.snapshot import Fleet, ImageView
from binder_federation.federation.core.spreading import count_members_wanted, plan_copies
from binder_federation.health.state import MemberState
from tests.unit.core.fleets import NOW, SETTINGS, idle_fleet, make_fleet, make_image, make_member

NAMES = ("a", "b", "c", "d", "e")


def plan(fleet: Fleet, image: ImageView, arrivals_per_second: float = 0.1) -> tuple[str, ...]:
    return plan_copies(
        fleet,
        image,
        arrivals_per_second=arrivals_per_second,
        session_seconds=1500.0,
        now=NOW,
        settings=SETTINGS,
    )


@pytest.mark.parametrize(
    ("arrivals_per_second", "quota", "wanted"),
    [(0.0, 100, 1), (0.03, 100, 1), (0.04, 100, 1), (0.041, 100, 2), (0.1, 100, 3), (1.0, 0, 1)],
)
def test_members_wanted(arrivals_per_second: float, quota: float, wanted: int) -> None:
    """By Little's law 0.04 a second for 1,500 s are 60 sessions: 0.6 of a member of 100."""
    found = count_members_wanted(
        arrivals_per_second=arrivals_per_second, session_seconds=1500.0, quota=quota
    )
    assert found == wanted


def test_copies_go_to_the_next_ranks() -> None:
    fleet = idle_fleet(*NAMES)
    image = make_image(node=["a"])
    others = [m.name for m in rank_members(fleet.members, image.affinity_key) if m.name != "a"]
    assert plan(fleet, image) == tuple(others[:2])


@pytest.mark.parametrize(
    "places",
    [
        {"node": ["a", "b", "c"]},
        {"node": ["a"], "registry": ["b"], "building": {"c": NOW}},
        {},  # its first launch makes the first copy
    ],
)
def test_none_when_it_is_spread_enough(places: dict[str, Any]) -> None:
    assert plan(idle_fleet(*NAMES), make_image(**places)) == ()


def test_a_repository_that_few_ask_for_stays_where_it_is() -> None:
    assert plan(idle_fleet(*NAMES), make_image(node=["a"]), arrivals_per_second=0.01) == ()


def test_a_holder_that_is_out_is_no_holder() -> None:
    out = make_member("a", state=MemberState.DOWN, used=0)
    fleet = make_fleet(out, *(make_member(name, used=0) for name in "bcd"))
    assert len(plan(fleet, make_image(node=["a", "b"]), 0.07)) == 1
    assert "a" not in plan(fleet, make_image(node=["a", "b"]), 0.07)


def test_without_any_known_load_nothing_is_spread() -> None:
    assert plan(make_fleet(make_member("a"), make_member("b")), make_image(node=["a"]), 9.0) == ()
