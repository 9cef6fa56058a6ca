"""One writer, many readers."""

import asyncio

from binder_federation.binder.events import Event, Phase
from binder_federation.cluster_agent.broadcast import Broadcast


def line(number: int, phase: Phase = Phase.BUILDING) -> Event:
    return Event(phase, f"line {number}\n")


async def read(
    record: Broadcast, *, tail_lines: int | None = None, idle_seconds: float | None = None
) -> list[Event]:
    return [
        event
        async for batch in record.follow(tail_lines=tail_lines, idle_seconds=idle_seconds)
        for event in batch
    ]


async def test_readers_get_everything_in_order_whenever_they_come() -> None:
    record = Broadcast()
    early = asyncio.gather(read(record), read(record))
    await asyncio.sleep(0)
    record.append(Event(Phase.FETCHING, "fetching\n"))
    record.append(line(0))
    await asyncio.sleep(0)
    record.append(line(1))
    late = asyncio.gather(read(record))
    await asyncio.sleep(0)
    record.append(Event(Phase.BUILT, "built\n"))
    record.close()
    expected = ["fetching\n", "line 0\n", "line 1\n", "built\n"]
    for events in [*await early, *await late]:
        assert [event.message for event in events] == expected


async def test_a_late_reader_gets_the_phase_and_the_last_lines() -> None:
    record = Broadcast()
    record.append(Event(Phase.FETCHING, "fetching\n"))
    record.append(Event(Phase.BUILDING, "building\n"))
    for number in range(300):
        record.append(line(number))
    record.close()
    messages = [event.message for event in await read(record, tail_lines=100)]
    assert messages == ["building\n", *(f"line {number}\n" for number in range(200, 300))]


async def test_a_slow_reader_misses_lines_and_is_told_but_no_phase() -> None:
    record = Broadcast(kept_lines=10)
    follower = record.follow()
    record.append(Event(Phase.FETCHING, "fetching\n"))
    first = await anext(follower)
    record.append(Event(Phase.BUILDING, "building\n"))
    for number in range(50):
        record.append(line(number))
    record.append(Event(Phase.BUILT, "built\n"))
    record.close()
    rest = await anext(follower)
    assert [event.phase for event in first] == [Phase.FETCHING]
    messages = [event.message for event in rest]
    assert messages[0] == "... 40 lines left out ...\n"
    assert messages[1] == "building\n"
    assert messages[2:] == [*(f"line {number}\n" for number in range(40, 50)), "built\n"]
    assert [batch async for batch in follower] == []


async def test_lines_between_batches_are_not_counted_as_missed() -> None:
    record = Broadcast(kept_lines=10)
    record.append(Event(Phase.BUILDING, "building\n"))
    reading = asyncio.gather(read(record))
    for number in range(50):
        record.append(line(number))
        if number % 5 == 4:
            await asyncio.sleep(0.06)
    record.close()
    (events,) = await reading
    assert len(events) == 51


async def test_an_idle_reader_gets_empty_batches() -> None:
    record = Broadcast()
    record.append(line(0))
    follower = record.follow(idle_seconds=0.01)
    assert await anext(follower) == [line(0)]
    assert await anext(follower) == []
    assert await anext(follower) == []
    record.append(line(1))
    while not (batch := await anext(follower)):
        pass
    assert batch == [line(1)]
    record.close()
    assert [rest async for rest in follower if rest] == []


async def test_nothing_is_appended_after_the_end() -> None:
    record = Broadcast()
    record.close()
    record.append(line(0))
    assert await read(record) == []
