"""The log of a launch: numbered, bounded, waited for."""

from binder_federation.binder.events import Event, Phase
from binder_federation.federation.event_log import EventLog
from binder_federation.federation.launch_ids import MemberPosition


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


def test_the_log_is_bounded_in_bytes_and_keeps_the_newest() -> None:
    log = EventLog(kept=1000, kept_bytes=1000)
    for _ in range(50):
        log.append(Event(Phase.BUILDING, "x" * 100))
    assert 5 <= len(numbers(log, 0)) <= 10
    log.append(Event(Phase.BUILDING, "x" * 5000))
    assert numbers(log, 0) == [51], "one that is larger than all is kept alone"


def test_events_of_another_replica_keep_their_numbers() -> None:
    source, log = EventLog(kept=10), EventLog(kept=10)
    for _ in range(3):
        source.append(Event(Phase.BUILDING))
    for entry in [*source.after(0), *source.after(1)]:
        log.add(entry)
    assert numbers(log, 0) == [1, 2, 3], "what is known is not added twice"
    log.skip_to(7, MemberPosition("alpha", 4))
    log.append(Event(Phase.READY))
    assert numbers(log, 2) == [3, 8]
    assert log.at == MemberPosition("alpha", 4)


async def test_a_log_that_is_cut_wakes_its_readers() -> None:
    log = EventLog(kept=3)
    log.cut()
    assert await log.wait_beyond(0, timeout_seconds=0)
    assert log.is_cut
