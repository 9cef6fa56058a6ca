"""What every `LaunchRecords` does: in memory, in a real Valkey and in a real Redis."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from prometheus_client import CollectorRegistry

from binder_federation.binder.errors import MemberUnreachable
from binder_federation.binder.events import Event, Phase, failed_event
from binder_federation.binder.spec import LaunchSpec
from binder_federation.federation.event_log import EventLog
from binder_federation.federation.launch_ids import MemberPosition
from binder_federation.federation.launch_records.contract import (
    KeptLaunch,
    LaunchRecords,
    RecordsUnavailable,
)
from binder_federation.federation.launch_records.memory import Board, MemoryLaunchRecords
from binder_federation.federation.launch_records.redis import RedisLaunchRecords
from binder_federation.federation.launch_request import LaunchRequest
from binder_federation.federation.launch_state import Course, LaunchState
from binder_federation.federation.outcomes import FailedAttempt
from binder_federation.federation.shared.connection import open_connection
from binder_federation.runtime.errors import Fault
from binder_federation.runtime.tasks import BackgroundTasks
from tests.support.eventually import eventually
from tests.support.redis_fixtures import RedisServers
from tests.support.redis_servers import RedisServer

REQUEST = LaunchRequest(
    spec=LaunchSpec("gh", "owner/repository", "main"),
    raw_spec="owner/repository/main",
    client_address="192.0.2.7",
    avoid=frozenset({"gamma"}),
)


@dataclass
class Told:
    """A launch, as far as records care."""

    id: str = "aaaaaaaaaaaaaaaa"
    state: LaunchState = field(default_factory=lambda: LaunchState(REQUEST, began_at=1.5))
    log: EventLog = field(default_factory=lambda: EventLog(kept=1000))

    def tell(self, count: int, *, phase: Phase = Phase.BUILDING) -> None:
        for _ in range(count):
            number = self.log.last_number + 1
            self.log.append(Event(phase, f"line {number}\n"), MemberPosition("alpha", number))


@dataclass
class Replica:
    """One replica's records, and the launches that it lost."""

    id: str
    records: LaunchRecords
    lost: list[str] = field(default_factory=list)


class Replicas:
    """Makes replicas that share what is kept; `kill` says that one of them is gone."""

    def __init__(self, make: Callable[[str], Replica], gone: set[str]) -> None:
        self.make = make
        self._gone = gone

    def kill(self, replica: Replica) -> None:
        self._gone.add(replica.id)


@pytest.fixture(params=["memory", "valkey", "redis"])
async def replicas(
    request: pytest.FixtureRequest, redis_servers: RedisServers
) -> AsyncIterator[Replicas]:
    if request.param == "memory":
        board = Board()
        yield Replicas(lambda name: make_memory_replica(name, board), board.gone)
        return
    async with redis_replicas(redis_servers.get(request.param)) as found:
        yield found


def make_memory_replica(name: str, board: Board) -> Replica:
    records = MemoryLaunchRecords(replica_id=name, board=board)
    replica = Replica(name, records)
    records.on_lost(replica.lost.append)
    return replica


@asynccontextmanager
async def redis_replicas(server: RedisServer) -> AsyncIterator[Replicas]:
    gone: set[str] = set()

    async def is_alive(replica_id: str) -> bool:
        return replica_id not in gone

    async with AsyncExitStack() as stack:
        tasks = BackgroundTasks()
        connections = [
            await stack.enter_async_context(
                open_connection(
                    server.settings(deadline_seconds=0.5),
                    tasks=tasks,
                    registry=CollectorRegistry(),
                )
            )
            for _ in range(3)
        ]
        stack.push_async_callback(tasks.aclose)

        def make(_name: str) -> Replica:
            connection = connections.pop()
            records = RedisLaunchRecords(connection, is_alive=is_alive)
            tasks.start(records.run(), name="records")
            replica = Replica(connection.replica_id, records)
            records.on_lost(replica.lost.append)
            return replica

        yield Replicas(make, gone)


async def fetched(
    replica: Replica, launch: Told, *, last: int | None = None, after: int = 0
) -> KeptLaunch:
    """What `replica` knows of the launch once it knows its last event."""
    found: list[KeptLaunch] = []
    wanted = launch.log.last_number if last is None else last

    async def is_known() -> bool:
        kept = await replica.records.fetch(launch.id, after=after)
        if kept is not None and kept.entries and kept.entries[-1].number >= wanted:
            found.append(kept)
        return bool(found)

    await eventually(is_known, what=f"event {wanted} to be known to the other replica")
    return found[0]


async def test_another_replica_knows_all_of_a_launch(replicas: Replicas) -> None:
    ours, other = replicas.make("one"), replicas.make("two")
    failure = FailedAttempt("beta", failed_event(MemberUnreachable("It broke.")), Fault.MEMBER)
    launch = Told()
    launch.state = replace(
        launch.state, resolved_ref="1" * 40, failures=(failure,), course=Course("alpha", 2, "why")
    )
    launch.tell(3)
    ours.records.changed(launch)

    kept = await fetched(other, launch)

    assert kept.owner == ours.id
    assert kept.state == launch.state
    assert list(kept.entries) == launch.log.after(0)


async def test_what_comes_is_known_too_and_can_be_asked_for_from_a_number(
    replicas: Replicas,
) -> None:
    ours, other = replicas.make("one"), replicas.make("two")
    launch = Told()
    launch.tell(3)
    ours.records.changed(launch)
    await fetched(other, launch)
    launch.tell(2)
    launch.log.append(Event(Phase.READY, "ready\n", {"url": "u"}))
    ours.records.changed(launch, is_urgent=True)

    kept = await fetched(other, launch, after=2)

    assert [entry.number for entry in kept.entries] == [3, 4, 5, 6]
    assert [entry.is_final for entry in kept.entries] == [False, False, False, True]


async def test_of_a_launch_that_nobody_knows_there_is_nothing(replicas: Replicas) -> None:
    ours = replicas.make("one")
    assert await ours.records.fetch("bbbbbbbbbbbbbbbb") is None
    assert not await ours.records.is_followed("bbbbbbbbbbbbbbbb")


async def test_of_many_that_try_one_takes_a_launch(replicas: Replicas) -> None:
    ours, second, third = replicas.make("one"), replicas.make("two"), replicas.make("three")
    launch = Told()
    launch.tell(1)
    ours.records.changed(launch)
    await fetched(second, launch)

    taken = await asyncio.gather(
        *(replica.records.take(launch.id, from_owner=ours.id) for replica in (second, third))
    )

    assert sorted(taken) == [False, True], "one of them gets it"
    winner = second if taken[0] else third
    kept = await ours.records.fetch(launch.id)
    assert kept is not None
    assert kept.owner == winner.id


async def test_a_launch_that_nobody_knows_can_be_taken_once(replicas: Replicas) -> None:
    ours, other = replicas.make("one"), replicas.make("two")
    assert await ours.records.take("bbbbbbbbbbbbbbbb", from_owner="")
    assert not await other.records.take("bbbbbbbbbbbbbbbb", from_owner="")
    assert await ours.records.take("bbbbbbbbbbbbbbbb", from_owner=""), "it is ours already"


async def test_who_lost_a_launch_is_told_and_writes_no_more(replicas: Replicas) -> None:
    ours, other = replicas.make("one"), replicas.make("two")
    launch = Told()
    launch.tell(1)
    ours.records.changed(launch)
    await fetched(other, launch)
    assert await other.records.take(launch.id, from_owner=ours.id)
    theirs = Told()
    theirs.tell(2)
    other.records.changed(theirs)
    await fetched(ours, theirs)

    launch.tell(5)
    ours.records.changed(launch)

    async def is_told() -> bool:
        return ours.lost == [launch.id]

    await eventually(is_told, what="the loss to be told")
    kept = await other.records.fetch(launch.id)
    assert kept is not None
    assert kept.entries[-1].number == 2, "only its owner writes"


async def test_a_released_launch_is_whole_and_nobodys(replicas: Replicas) -> None:
    ours, other = replicas.make("one"), replicas.make("two")
    launch = Told()
    launch.tell(4)
    ours.records.changed(launch)
    launch.tell(2)
    await ours.records.release([launch])

    kept = await other.records.fetch(launch.id)

    assert kept is not None
    assert kept.owner == ""
    assert kept.entries[-1].number == 6
    assert await other.records.take(launch.id, from_owner="")


async def test_an_owner_knows_of_followers(replicas: Replicas) -> None:
    ours, other = replicas.make("one"), replicas.make("two")
    launch = Told()
    launch.tell(1)
    ours.records.changed(launch)
    await fetched(other, launch)
    assert not await ours.records.is_followed(launch.id), "somebody only looked"
    await other.records.fetch(launch.id, is_following=True)
    assert await ours.records.is_followed(launch.id)


async def test_it_is_known_who_is_gone(replicas: Replicas) -> None:
    ours, other = replicas.make("one"), replicas.make("two")
    assert await other.records.is_alive(ours.id)
    third = replicas.make("three")
    replicas.kill(third)
    assert not await other.records.is_alive(third.id)


async def test_of_a_long_log_the_last_lines_are_kept_and_keys_end(
    redis_server: RedisServer,
) -> None:
    async with redis_replicas(redis_server) as replicas:
        ours, other = replicas.make("one"), replicas.make("two")
        launch = Told()
        launch.tell(900)
        ours.records.changed(launch)
        kept = await fetched(other, launch)
        assert kept.entries[0].number > 300, "not all of a long log is written"
        client = redis_server.client()
        keys = client.keys("*launch*")
        assert len(keys) == 2
        for key in keys:
            assert 3_600_000 < client.pttl(key) <= 4_800_000, "a running launch's"
        launch.log.append(Event(Phase.READY, "ready\n"))
        ours.records.changed(launch)
        await fetched(other, launch)
        for key in keys:
            assert 1_100_000 < client.pttl(key) <= 1_200_000, "20 minutes"
        client.close()


async def test_what_redis_lost_is_written_again_and_an_outage_stops_nobody(
    redis_server: RedisServer,
) -> None:
    async with redis_replicas(redis_server) as replicas:
        ours, other = replicas.make("one"), replicas.make("two")
        launch = Told()
        launch.tell(3)
        ours.records.changed(launch)
        await fetched(other, launch)

        redis_server.flush()
        launch.tell(1)
        ours.records.changed(launch)
        kept = await fetched(other, launch)
        assert [entry.number for entry in kept.entries] == [1, 2, 3, 4], "whole, not the news only"

        redis_server.stop()
        launch.tell(1)
        ours.records.changed(launch)
        with pytest.raises(RecordsUnavailable):
            await other.records.fetch(launch.id)
        await ours.records.release([])
        redis_server.start()

        async def is_known() -> bool:
            try:
                found = await other.records.fetch(launch.id)
            except RecordsUnavailable:
                return False
            return found is not None and [e.number for e in found.entries] == [1, 2, 3, 4, 5]

        await eventually(is_known, what="the launch to be written after the outage")
