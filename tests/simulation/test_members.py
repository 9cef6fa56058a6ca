"""A member's true state: caches, registries, builds in line, and the log of its load."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.binder.spec import ImageKey
from binder_federation.federation.simulation.build_line import Build, BuildLine
from binder_federation.federation.simulation.image_cache import ImageCache
from binder_federation.federation.simulation.member import LOG_LENGTH, SimMember
from binder_federation.federation.simulation.registries import Replication
from binder_federation.federation.simulation.settings import WorldSettings
from binder_federation.federation.simulation.world import Image


def image(number: int = 0, *, build_seconds: float = 100.0) -> Image:
    return Image(
        id=number,
        key=ImageKey(f"{number:032x}"),
        repository=number // 10,
        affinity_key=f"gh:repository-{number // 10}",
        size_bytes=10,
        build_seconds=build_seconds,
        transfer_seconds=20.0,
    )


def member(*, replication: Replication | None = None, index: int = 0) -> SimMember:
    return SimMember(
        f"member-{index}",
        index=index,
        slots=4,
        build_slots=1,
        cache_bytes=25.0,
        replication=replication,
        settings=WorldSettings(),
    )


def test_the_least_recently_launched_image_makes_room() -> None:
    cache = ImageCache(30)
    assert cache.put(1, 10) == cache.put(2, 10) == cache.put(3, 10) == [], "all fit"
    cache.touch(1)
    assert cache.put(4, 10) == [2], "2 was not launched for the longest time"
    assert 1 in cache, "1 was launched since"
    assert cache.put(4, 10) == [], "what is there already takes no more room"


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 40))))
def test_a_cache_keeps_its_bound_and_the_newest(puts: list[tuple[int, int]]) -> None:
    cache = ImageCache(50)
    sizes: dict[int, int] = {}
    held: set[int] = set()
    for number, size in puts:
        sizes.setdefault(number, size)
        if number not in cache:
            sizes[number] = size
        held = (held | {number}) - set(cache.put(number, size))
        assert number in cache, "what was just launched is there"
        assert cache.used_bytes <= 50 or len(cache) == 1, "within its bytes, save one large image"
        assert {each for each in sizes if each in cache} == held, "it says which had to go"
        assert cache.used_bytes == sum(sizes[each] for each in held), "bytes are counted right"


def test_builds_beyond_the_slots_wait_in_line() -> None:
    line = BuildLine(1)
    first, second = (Build(image(number), is_duplicate=False) for number in (1, 2))
    line.add(first)
    line.add(second)
    assert line.next_to_start() is first, "the first has the slot"
    assert line.next_to_start() is None, "the second waits"
    first.done_at = 130.0
    assert line.seconds_to_start(30.0) == pytest.approx(100 + 120), "one running, one in line"
    line.remove(first)
    assert line.next_to_start() is second, "its turn"
    assert len(line) == 1, "only builds that are not over count"


def test_a_pull_under_way_is_waited_for() -> None:
    one = member()
    one.note_built(image(), 0.0)
    assert one.seconds_to_image(image(), 0.0) == 20.0, "a pull away"
    one.pull(image(), 0.0)
    assert one.seconds_to_image(image(), 15.0) == 5.0, "somebody pulls it already"
    assert one.seconds_to_pulled(0, 15.0) == 5.0, "and whoever comes now waits for that"
    assert one.seconds_to_pulled(0, 20.0) == 0.0, "until it is there"


def test_a_repository_that_was_built_recently_builds_quicker() -> None:
    one = member()
    assert one.seconds_to_image(image(1), 0.0) == pytest.approx(140), "build, push, pull"
    one.note_built(image(2), 0.0)
    assert one.seconds_to_image(image(1), 0.0) == pytest.approx(0.45 * 140), "same repository"
    assert one.seconds_to_image(image(11), 0.0) == pytest.approx(140), "another repository"
    assert one.build_factor(0, 15 * 86_400.0) == 1.0, "two weeks are over"


def test_a_replicated_image_is_everywhere_a_little_later() -> None:
    replication = Replication(60.0)
    builder, other = (member(replication=replication, index=index) for index in (0, 1))
    builder.note_built(image(), 100.0)
    assert builder.is_in_registry(image(), 100.0), "at once where it was pushed"
    assert not other.is_in_registry(image(), 159.0), "not yet"
    assert other.is_in_registry(image(), 160.0), "a pull away now"


def test_the_load_of_a_moment_can_be_asked_for_later() -> None:
    one = member()
    for number in range(3 * LOG_LENGTH):
        one.take(2.0 * number)
        one.leave(2.0 * number + 1.0)
    end = 2.0 * 3 * LOG_LENGTH
    assert one.load_at(end - 1.5) == (1, 0), "between taking and leaving"
    assert one.load_at(end - 1.0) == (0, 0), "at the moment of leaving it has left"
    assert one.load_at(end - 100.5) == (0, 0) or one.load_at(end - 101.5) == (0, 0), "further back"
