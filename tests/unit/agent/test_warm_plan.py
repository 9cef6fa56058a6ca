"""What waits and what is wanted → what to start and to remove."""

from collections import Counter
from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from binder_federation.cluster_agent.core.warm_plan import (
    Room,
    Waiting,
    WarmPlan,
    Waste,
    order_to_go,
    plan_pool,
)

ROOM = Room(to_start=10, to_keep=12, starts=4)


def servers(*given: tuple[str, str, float]) -> list[Waiting]:
    """From name, image and age; a negative age is that of one that is starting."""
    return [Waiting(name, image, max(0.0, age), age >= 0) for name, image, age in given]


def plan(
    waiting: Sequence[Waiting],
    wanted: Mapping[str, int],
    *,
    room: Room = ROOM,
    images: str = "abc",
) -> WarmPlan:
    return plan_pool(waiting, wanted, images=images, room=room, max_age_seconds=1800.0)


def test_what_lacks_is_started_a_few_at_a_time() -> None:
    planned = plan(servers(("a1", "a", 5.0)), {"a": 3, "b": 4})
    assert planned.start == ("b", "b", "a", "b"), "whoever lacks most of its servers is first"
    assert planned.remove == ()


def test_servers_that_are_starting_count() -> None:
    assert plan(servers(("a1", "a", -1.0)), {"a": 1}) == WarmPlan((), ())


def test_an_image_that_is_not_here_has_none() -> None:
    planned = plan(servers(("x1", "x", 5.0)), {"x": 2})
    assert planned == WarmPlan((), (("x1", Waste.IMAGE_GONE),))


def test_the_old_are_replaced() -> None:
    planned = plan(servers(("a1", "a", 1800.0), ("a2", "a", 1799.0)), {"a": 2})
    assert planned == WarmPlan(("a",), (("a1", Waste.OLD),))


def test_one_too_many_stays_until_its_place_is_needed() -> None:
    waiting = servers(("a1", "a", 50.0), ("a2", "a", 5.0))
    assert plan(waiting, {"a": 1}) == WarmPlan((), ())
    tight = Room(to_start=2, to_keep=4, starts=4)
    assert plan(waiting, {"a": 1, "b": 1}, room=tight) == WarmPlan(("b",), (("a1", Waste.SURPLUS),))


def test_under_pressure_the_unwanted_and_the_old_go_first() -> None:
    waiting = servers(("a1", "a", 50.0), ("b1", "b", 5.0), ("b2", "b", 70.0))
    pressed = Room(to_start=0, to_keep=1, starts=4)
    planned = plan(waiting, {"a": 1, "b": 1}, room=pressed)
    assert planned.start == ()
    assert planned.remove == (("b2", Waste.PRESSURE), ("a1", Waste.PRESSURE))


def test_the_visitors_own_image_gives_way_last() -> None:
    waiting = servers(("a1", "a", 90.0), ("b1", "b", 5.0), ("b2", "b", -1.0))
    assert order_to_go(waiting, {"a": 1, "b": 2}, spare="a") == ["b2", "b1", "a1"]
    assert order_to_go(waiting, {"a": 1, "b": 2}, spare="b")[0] == "a1"


waitings = st.lists(
    st.builds(
        Waiting,
        name=st.uuids().map(str),
        image=st.sampled_from("abx"),
        age_seconds=st.floats(0.0, 3600.0),
        is_ready=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda each: each.name,
)
wishes = st.dictionaries(st.sampled_from("abx"), st.integers(1, 6))
rooms = st.builds(
    lambda start, more, starts: Room(to_start=start, to_keep=start + more, starts=starts),
    st.integers(0, 10),
    st.integers(0, 5),
    st.integers(-2, 5),
)


@given(waitings, wishes, rooms)
def test_a_plan_keeps_every_limit_and_never_goes_in_circles(
    waiting: list[Waiting], wanted: dict[str, int], room: Room
) -> None:
    planned = plan(waiting, wanted, room=room)
    removed = {name for name, _ in planned.remove}
    assert len(removed) == len(planned.remove), "none is removed twice"
    stays = [each for each in waiting if each.name not in removed]
    assert len(stays) <= room.to_keep
    assert len(planned.start) <= max(0, room.starts)
    assert not planned.start or len(stays) + len(planned.start) <= room.to_start
    there = Counter(each.image for each in stays) + Counter(planned.start)
    for image in planned.start:
        assert image in "abc"
        assert there[image] <= wanted[image], "no more than wanted are started"
    begun = [Waiting(f"new-{n}", image, 0.0, False) for n, image in enumerate(planned.start)]
    again = plan([*stays, *begun], wanted, room=room)
    assert not ({each.name for each in begun} & {name for name, _ in again.remove})
