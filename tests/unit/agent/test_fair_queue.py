"""The order in which places are given."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from binder_federation.cluster_agent.core.fair_queue import FairQueue


def test_a_flood_of_one_group_does_not_hold_up_the_others() -> None:
    """2019-03-24: four slots, one repository with 60 % of the requests."""
    queue = FairQueue(slots=4, most_per_group=2)
    groups = {}
    for number in range(60):
        queue.push("hot", number)
        groups[number] = "hot"
    for number in range(60, 100):
        queue.push(f"other-{number % 4}", number)
        groups[number] = f"other-{number % 4}"
    served: list[str] = []
    running: list[int] = []
    while True:
        while (entry := queue.take_next()) is not None:
            running.append(entry)
            served.append(groups[entry])
        if not running:
            break
        queue.give_back(groups[running.pop(0)])
    first = Counter(served[:40])
    assert len(served) == 100
    assert all(first[f"other-{number}"] >= 6 for number in range(4)), first
    assert first["hot"] <= 12, first


def test_one_group_leaves_a_place_for_the_next_that_comes() -> None:
    queue = FairQueue(slots=4, most_per_group=2)
    for number in range(10):
        queue.push("hot", number)
    assert [queue.take_next() for _ in range(4)] == [0, 1, None, None]
    queue.push("other", 10)
    assert queue.take_next() == 10


def test_whoever_withdraws_is_not_served() -> None:
    queue = FairQueue(slots=1, most_per_group=1)
    queue.push("a", 1)
    queue.push("a", 2)
    queue.withdraw("a", 1)
    queue.withdraw("b", 7)
    assert queue.take_next() == 2
    assert queue.waiting == 0


@given(st.lists(st.sampled_from("abcde"), max_size=40), st.integers(1, 4))
def test_places_tell_the_order_that_follows(groups: list[str], slots: int) -> None:
    queue = FairQueue(slots=slots, most_per_group=slots)
    for number, group in enumerate(groups):
        queue.push(group, number)
    told = queue.places()
    order = []
    while (entry := queue.take_next()) is not None:
        order.append(entry)
    assert sorted(told.values()) == list(range(1, len(groups) + 1))
    # Those who are served at once are those who were told the first places.
    assert order == sorted(told, key=told.__getitem__)[: len(order)]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60))
def test_never_more_than_the_slots_and_nobody_is_lost(steps: list[tuple[str, bool]]) -> None:
    queue = FairQueue(slots=3, most_per_group=2)
    groups: dict[int, str] = {}
    served: list[int] = []
    held: list[int] = []
    for number, (group, gives_back) in enumerate(steps):
        queue.push(group, number)
        groups[number] = group
        if gives_back and held:
            queue.give_back(groups[held.pop()])
        while (entry := queue.take_next()) is not None:
            served.append(entry)
            held.append(entry)
        assert queue.held == len(held) <= 3
        assert max(Counter(groups[entry] for entry in held).values(), default=0) <= 2
    assert len(served) == len(set(served))
    assert len(served) + queue.waiting == len(steps)
