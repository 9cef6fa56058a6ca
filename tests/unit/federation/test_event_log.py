"""The log of a launch: numbered, bounded, waited for."""

from binder_federation.binder.events import Event, Phase
from binder_federation.federation.event_log import EventLog


def numbers(log: EventLog, after: int) -> list[int]:
    return [entry.number for entry in log.after(after)]


def test_events_are_numbered_and_read_from_anywhere() -> None:
    log = EventLog(kept=10)
    for _ in range(4):
        log.append(Event(Phase.BUILDING))

    assert numbers(log, 0) == [1, 2, 3, 4]
    assert numbers(log, 2) == [3, 4]
    assert numbers(log, 99) == []


def test_old_events_go_and_numbers_stay() -> None:
    log = EventLog(kept=3)
    for _ in range(10):
        log.append(Event(Phase.BUILDING))

    assert numbers(log, 0) == [8, 9, 10]
    assert numbers(log, 8) == [9, 10]


def test_nothing_follows_the_final_event() -> None:
    log = EventLog(kept=3)
    log.append(Event(Phase.READY))
    log.append(Event(Phase.BUILDING))

    assert log.is_finished
    assert log.last_number == 1


async def test_waiting_ends_with_the_next_event_or_the_time() -> None:
    log = EventLog(kept=3)

    assert not await log.wait_beyond(0, timeout_seconds=0.01)
    log.append(Event(Phase.BUILDING))
    assert await log.wait_beyond(0, timeout_seconds=0)
