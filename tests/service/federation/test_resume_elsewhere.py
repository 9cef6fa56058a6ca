"""Any replica resumes any launch, and no launch is done twice: two replicas, a real Valkey.

At a BinderHub a launch belongs to its connection, so a replica that takes one over has to ask
for it again, as an EventSource does that connects anew. Its build is there; its server may be
started a second time, at most.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest

from binder_federation.binder.events import Phase
from tests.support.eventually import eventually
from tests.support.fake_member import Failure
from tests.support.federation_server import FederationServer, Seen, running_federation
from tests.support.fleets import FLEETS, Fleet, running_fleet
from tests.support.redis_fixtures import fresh
from tests.support.redis_servers import RedisServer, delay_proxy
from tests.support.replicas import Replica

HELD_AT = {
    Phase.WAITING: Phase.FETCHING,
    Phase.BUILDING: Phase.BUILT,
    Phase.LAUNCHING: Phase.READY,
}
"""Where the member waits when a client's stream is cut in that phase."""


@dataclass
class Place:
    """Members, two replicas and what they share."""

    fleet: Fleet
    one: FederationServer
    two: FederationServer
    one_stack: AsyncExitStack


@dataclass
class Story:
    """One launch, as its visitor sees it who comes to one replica after the other."""

    place: Place
    word: str = "repository"
    seen: list[Seen] = field(default_factory=list)
    is_taken_over: bool = False
    """Whether the member had to be asked by a second replica."""

    @property
    def path(self) -> str:
        return self.place.fleet.launch_path(self.word)

    @property
    def launch_id(self) -> str:
        return self.seen[0].ids[0].partition(":")[0]

    async def cut_at(self, phase: Phase) -> Seen:
        """Begin at the first replica; the stream is cut in `phase`, and the member waits there."""
        self.place.fleet.hold(HELD_AT[phase])
        self.seen.append(await self.place.one.launch(self.path, until=phase))
        return self.seen[-1]

    async def resume(self, *, attaches: bool = False) -> Seen:
        """The rest, from the second replica.

        The member goes on meanwhile, once the replica watches it there if that is awaited.
        """
        headers = {"Last-Event-ID": self.seen[-1].ids[-1]}
        fleet = self.place.fleet
        before = fleet.attached + fleet.asked()

        async def is_attached() -> bool:
            return fleet.attached + fleet.asked() == before + 1

        async with asyncio.TaskGroup() as group:
            following = group.create_task(self.place.two.launch(self.path, headers=headers))
            if attaches:
                await eventually(is_attached, what="the replica to take the launch")
            fleet.go_on()
        self.seen.append(await following)
        return self.seen[-1]

    def check_done_once(self) -> None:
        """Every event came once and in order; one build, one server."""
        ids = [event_id for seen in self.seen for event_id in seen.ids]
        numbers = [int(event_id.rpartition(":")[2]) for event_id in ids]
        assert numbers == list(range(1, len(ids) + 1)), f"an event is missing or twice: {ids}"
        assert {event_id.partition(":")[0] for event_id in ids} == {self.launch_id}, "one launch"
        assert self.seen[-1].last.phase is Phase.READY, self.seen[-1].last
        fleet = self.place.fleet
        assert fleet.built(self.path) == 1, "one build"
        if self.is_taken_over and not fleet.is_resumable:
            assert fleet.asked(self.path) <= 2, "a BinderHub is asked again, as by any client"
            assert fleet.started(self.path) <= fleet.asked(self.path), "one server for a stream"
            return
        assert fleet.asked(self.path) == 1, "asked for once"
        assert fleet.started(self.path) == 1, "one server"
        phases = [event.phase.value for seen in self.seen for event in seen.events]
        expected = ["waiting", "fetching", "building", "pushing", "built", "launching", "ready"]
        if fleet.is_resumable:
            expected.remove("pushing")  # these agents say nothing of it
        assert list(dict.fromkeys(phases)) == expected, "as if the stream had not been cut"
        assert phases == sorted(phases, key=expected.index), "no phase comes again"
        assert phases.count("building") == 3

    async def is_followed(self) -> None:
        """Wait until the second replica has asked for it on behalf of somebody."""
        records = self.place.one.context.launches.records

        async def is_asked_for() -> bool:
            return await records.is_followed(self.launch_id)

        await eventually(is_asked_for, what="the other replica to follow")

    async def is_written(self) -> None:
        """Wait until what the visitor has seen is in Redis."""
        records = self.place.two.context.launches.records

        async def is_known() -> bool:
            kept = await records.fetch(self.launch_id, after=len(self.seen[0].ids) - 1)
            return kept is not None and bool(kept.entries)

        await eventually(is_known, what="the launch to be written")


@asynccontextmanager
async def running_place(
    *urls: str, prefix: str, kind: str = "agents", **settings: float
) -> AsyncIterator[Place]:
    """Two replicas, each with its own way to the same Redis."""
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(running_fleet(kind))
        first, second = await stack.enter_async_context(AsyncExitStack()), stack
        servers = []
        for each, url in zip((first, second), urls, strict=True):
            redis = {"url": url, "prefix": prefix, "deadline_seconds": 0.5}
            # A member that a test holds is silent meanwhile.
            launch = {"silence_seconds": 60.0, **settings}
            server = running_federation(fleet.members, redis=redis, launch=launch)
            servers.append(await each.enter_async_context(server))
        yield Place(fleet, servers[0], servers[1], first)


@pytest.fixture(params=FLEETS)
async def place(request: pytest.FixtureRequest, redis_server: RedisServer) -> AsyncIterator[Place]:
    url, prefix = redis_server.url, fresh(redis_server).prefix
    async with running_place(url, url, prefix=prefix, kind=request.param) as found:
        yield found


async def test_another_replica_follows_the_one_that_runs_it(place: Place) -> None:
    for phase in HELD_AT:
        story = Story(place, phase.value)
        await story.cut_at(phase)
        await story.is_written()
        await story.resume()
        story.check_done_once()
    assert place.fleet.attached == 0, "the owner goes on with them"


@pytest.mark.parametrize("phase", list(HELD_AT))
async def test_a_replica_that_stops_leaves_its_launches_to_the_others(
    place: Place, phase: Phase
) -> None:
    story = Story(place, is_taken_over=True)
    await story.cut_at(phase)
    await place.one_stack.aclose()
    await story.resume()
    story.check_done_once()


async def test_what_is_over_is_told_by_every_replica(place: Place) -> None:
    story = Story(place)
    whole = await place.one.launch(story.path)
    story.seen.append(Seen(200, whole.events[:-1], whole.ids[:-1]))
    await story.resume()
    story.check_done_once()
    again = await place.two.launch(story.path, headers={"Last-Event-ID": whole.ids[-1]})
    assert again.status == 204, "a client that has seen the end is told so"


async def test_a_flush_or_no_redis_in_the_middle_does_nothing_twice(
    place: Place, redis_server: RedisServer
) -> None:
    """Without Redis the visitor tells where the launch is."""
    story = Story(place, "flushed", is_taken_over=True)
    await story.cut_at(Phase.BUILDING)
    redis_server.flush()
    await story.resume()
    story.check_done_once()

    story = Story(place, "stopped", is_taken_over=True)
    await story.cut_at(Phase.LAUNCHING)
    redis_server.stop()
    await story.resume(attaches=True)
    story.check_done_once()

    redis_server.start()
    other = await place.one.launch(place.fleet.launch_path("other"))
    assert other.last.phase is Phase.READY


async def test_a_replica_that_redis_does_not_hear_from_loses_its_launches(
    redis_server: RedisServer,
) -> None:
    """It is cut off from Redis only, and goes on: then two replicas watch one server start."""
    prefix = fresh(redis_server).prefix
    async with (
        delay_proxy(redis_server) as proxy,
        running_place(proxy.url, redis_server.url, prefix=prefix) as place,
    ):
        story = Story(place)
        await story.cut_at(Phase.BUILDING)
        await story.is_written()
        proxy.is_refusing = True
        proxy.cut()
        await story.resume(attaches=True)
        story.check_done_once()
        proxy.is_refusing = False

        async def is_lost() -> bool:
            return place.one.context.launches.find(story.launch_id) is None

        await eventually(is_lost, what="the first replica to learn of it")


async def test_a_launch_taken_over_goes_on_elsewhere_when_its_member_fails(place: Place) -> None:
    usual = place.fleet.usual
    again = [] if place.fleet.is_resumable else [Failure.RESET_AT_LAUNCHING]
    usual.fail_next(Failure.RESET_AT_LAUNCHING, *again)
    place.fleet.hold(Phase.LAUNCHING)
    story = Story(place)
    first = await place.one.launch(story.path, until=Phase.BUILT)
    await place.one_stack.aclose()
    story.seen.append(first)

    rest = await story.resume(attaches=True)

    assert first.last.fields["member"] == usual.name
    assert rest.last.phase is Phase.READY
    assert rest.last.fields["member"] != usual.name
    assert rest.last.fields["attempt"] == 2, "the attempts are counted across replicas"
    assert rest.ids[-1].partition(":")[0] == story.launch_id


async def test_a_launch_that_nobody_watches_anywhere_ends_at_once_at_its_member(
    redis_server: RedisServer,
) -> None:
    prefix = fresh(redis_server).prefix
    async with running_place(
        redis_server.url, redis_server.url, prefix=prefix, resume_seconds=0.001
    ) as place:
        story = Story(place)
        await story.cut_at(Phase.BUILDING)
        headers = {"Accept": "text/event-stream", "Last-Event-ID": story.seen[-1].ids[-1]}
        followed = place.two.client.stream("GET", f"/build/{story.path}", headers=headers)
        async with followed as answer:
            assert answer.status_code == 200
            await story.is_followed()
            await place.one.context.launches.tidy()
            assert place.one.context.launches.under_way == 1, "its visitor is at the other replica"
        for replica in (place.two, place.one):
            await eventually(partial(is_given_up, replica), what="the launch to be given up")

        async def is_dismissed() -> bool:
            return sum(member.dismissed for member in place.fleet.members) == 1

        await eventually(is_dismissed, what="the member to be told")


async def is_given_up(replica: FederationServer) -> bool:
    await replica.context.launches.tidy()
    return replica.context.launches.under_way == 0


async def test_a_replica_that_is_killed_fails_no_launch(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    """Its visitors come to the other one, which takes over once the first is known to be dead."""
    prefix = fresh(redis_server).prefix
    async with running_place(redis_server.url, redis_server.url, prefix=prefix) as place:
        settings = {
            "redis": {"url": redis_server.url, "prefix": prefix},
            "members": [member.settings for member in place.fleet.members],
            "health": {"probe_every_seconds": 0.2},
        }
        replica = Replica(tmp_path, "doomed", settings)
        async with httpx.AsyncClient(base_url=replica.url, timeout=30) as client:
            try:
                await replica.start(client, members=2)
                doomed = FederationServer(replica.url, client, place.two.context)
                place.one = doomed
                story = Story(place)
                await story.cut_at(Phase.LAUNCHING)
                await story.is_written()
            finally:
                await replica.kill()
        await story.resume(attaches=True)
        story.check_done_once()
