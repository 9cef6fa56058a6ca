"""A hot repository gets as many members as its visitors need."""

from typing import Any

import pytest

from binder_federation.federation.core.rendezvous import rank_members
from binder_federation.federation.core.snapshot import Fleet, ImageView, Load
from binder_federation.federation.core.spreading import count_members_wanted, plan_copies
from binder_federation.health.state import MemberState
from tests.unit.core.fleets import NOW, SETTINGS, idle_fleet, make_fleet, make_image, make_member

NAMES = ("a", "b", "c", "d", "e")


def plan(
    fleet: Fleet, image: ImageView, arrivals_per_second: float = 0.1, **settings: Any
) -> tuple[str, ...]:
    return plan_copies(
        fleet,
        image,
        arrivals_per_second=arrivals_per_second,
        session_seconds=1500.0,
        now=NOW,
        settings=SETTINGS,
        **settings,
    )


@pytest.mark.parametrize(
    ("arrivals_per_second", "capacity", "used", "wanted"),
    [
        (0.0, 100, 0, 1),
        (0.1, 100, 90, 4),  # 150 sessions; half of a fair share of 90 each
        (0.1, 50, 90, 5),  # 0.6 of a quota of 50
        (0.02, 100, 2, 2),  # 30 sessions, while the fleet is nearly idle: 15 each
        (0.009, 100, 2, 1),
        (9.0, 100, 90, 5),  # there are no more
        (9.0, 0, 0, 1),
    ],
)
def test_members_wanted(arrivals_per_second: float, capacity: int, used: int, wanted: int) -> None:
    """By Little's law 0.1 a second for 1,500 s are 150 sessions at once."""
    load = Load(capacity=capacity, running=used)
    fleet = make_fleet(*(make_member(name, load=load) for name in NAMES))
    found = count_members_wanted(
        fleet, arrivals_per_second=arrivals_per_second, session_seconds=1500.0
    )
    assert found == wanted


def test_copies_go_to_the_next_ranks() -> None:
    fleet = idle_fleet(*NAMES)
    image = make_image(node=["a"])
    others = [m.name for m in rank_members(fleet.members, image.affinity_key) if m.name != "a"]
    assert plan(fleet, image) == tuple(others[:2])


def test_who_cannot_be_asked_for_an_image_alone_is_passed_over() -> None:
    """A BinderHub builds only what it launches; where it holds an image, it holds it."""
    fleet = idle_fleet(*NAMES)
    image = make_image(node=["a"])
    others = [m.name for m in rank_members(fleet.members, image.affinity_key) if m.name != "a"]
    assert plan(fleet, image, unable={"a", others[0]}) == tuple(others[1:3])


@pytest.mark.parametrize(
    "places",
    [
        {"node": list(NAMES)},
        {"node": ["a", "b", "d", "e"], "building": {"c": NOW}},
        {},  # its first launch makes the first copy
    ],
)
def test_none_when_it_is_spread_enough(places: dict[str, Any]) -> None:
    assert plan(idle_fleet(*NAMES), make_image(**places)) == ()


def test_a_registry_is_where_a_copy_is_pulled_from() -> None:
    """It is not at hand there, and quicker to get than by a build."""
    image = make_image(node=["a"], registry=["d"])
    assert plan(idle_fleet(*NAMES), image)[0] == "d"


def test_a_repository_that_few_ask_for_stays_where_it_is() -> None:
    assert plan(idle_fleet(*NAMES), make_image(node=["a"]), arrivals_per_second=0.005) == ()


def test_a_holder_that_is_out_is_no_holder() -> None:
    out = make_member("a", state=MemberState.DOWN, used=0)
    fleet = make_fleet(out, *(make_member(name, used=0) for name in "bcd"))
    copies = plan(fleet, make_image(node=["a", "b"]), 0.019)
    assert len(copies) == 1, "two are wanted, and one is there"
    assert "a" not in copies


def test_without_any_known_load_nothing_is_spread() -> None:
    assert plan(make_fleet(make_member("a"), make_member("b")), make_image(node=["a"]), 9.0) == ()
