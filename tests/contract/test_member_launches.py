"""A launch that its token names, at a member: the fake one and the real agent are alike."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest
from yarl import URL

from binder_federation.binder.build_tokens import BuildClaims, sign_build_token
from binder_federation.binder.events import Event, Phase
from binder_federation.federation.member_stream import MemberStreams
from tests.support.agent_server import CREDENTIAL, PATH, running_agent
from tests.support.eventually import eventually
from tests.support.fake_member import FakeMember
from tests.support.fake_stack import FakeStack


@dataclass
class Member:
    """A member under test. `servers` counts what it started, `finish` lets servers start."""

    url: str
    streams: MemberStreams
    servers: Callable[[], int]
    finish: Callable[[], Awaitable[None]]
    has_ended: Callable[[], bool]

    async def launch(
        self, launch: str, *, after: int = 0, until: Phase = Phase.READY
    ) -> tuple[list[int], list[Event]]:
        """Numbers and events, up to the first of phase `until`; then the stream is cut."""
        numbers, events = [], []
        stream = self.streams.numbered("m", self._url, build_token=self._token(launch), after=after)
        async with aclosing(stream) as each:
            async for numbered in each:
                numbers.append(numbered.number)
                events.append(numbered.event)
                if numbered.event.phase is until:
                    break
        return numbers, events

    async def dismiss(self, launch: str) -> None:
        await self.streams.dismiss("m", self._url, build_token=self._token(launch))

    @property
    def _url(self) -> URL:
        return URL(f"{self.url}/build/{PATH}", encoded=True)

    def _token(self, launch: str) -> str:
        claims = BuildClaims(audience=PATH, launch=launch)
        return sign_build_token(CREDENTIAL, claims, now=time.time())


@asynccontextmanager
async def fake_member(streams: MemberStreams, grace_seconds: float) -> AsyncIterator[Member]:
    fake = FakeMember("fake", credential=CREDENTIAL, grace_seconds=grace_seconds)
    await fake.start()
    fake.hold(Phase.READY)

    async def finish() -> None:
        fake.go_on()

    def has_ended() -> bool:
        return not fake._launches

    yield Member(fake.url, streams, lambda: sum(fake.servers.values()), finish, has_ended)
    await fake.stop()


@asynccontextmanager
async def real_agent(streams: MemberStreams, grace_seconds: float) -> AsyncIterator[Member]:
    stack = FakeStack()
    stack.hub.starts_by_themselves = False
    async with running_agent(stack, launch={"grace_seconds": grace_seconds}) as agent:

        async def finish() -> None:
            stack.hub.starts_by_themselves = True

            async def is_starting() -> bool:
                return bool(stack.hub.servers)

            await eventually(is_starting, what="the server to start")
            stack.hub.finish()

        def has_ended() -> bool:
            return agent.context.sessions.usage().total == 0

        yield Member(agent.url, streams, lambda: stack.hub.calls["start_server"], finish, has_ended)


@pytest.fixture
async def streams() -> AsyncIterator[MemberStreams]:
    async with aiohttp.ClientSession() as session:
        yield MemberStreams(session=session, connect_seconds=5, silence_seconds=20)


@pytest.fixture(params=["fake", "agent"])
async def member(request: pytest.FixtureRequest, streams: MemberStreams) -> AsyncIterator[Member]:
    make = fake_member if request.param == "fake" else real_agent
    async with make(streams, 60.0) as made:
        yield made


@pytest.fixture(params=["fake", "agent"])
async def hasty_member(
    request: pytest.FixtureRequest, streams: MemberStreams
) -> AsyncIterator[Member]:
    make = fake_member if request.param == "fake" else real_agent
    async with make(streams, 0.3) as made:
        yield made


async def test_a_launch_asked_for_again_goes_on_with_one_server(member: Member) -> None:
    first, _ = await member.launch("a", until=Phase.LAUNCHING)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(member.launch("a", after=first[-1]))
        await member.finish()
    rest, events = await following
    assert first + rest == list(range(1, len(first + rest) + 1)), "nothing twice, nothing lost"
    assert events[-1].phase is Phase.READY
    again, same = await member.launch("a")
    assert again == first + rest, "after its end it is told from the beginning"
    assert same[-1].fields == events[-1].fields
    last, _ = await member.launch("a", after=rest[-1])
    assert last == rest[-1:], "the last event comes in any case"
    assert member.servers() == 1


async def test_another_id_and_none_are_launches_of_their_own(member: Member) -> None:
    for launch in ("a", "b", "", ""):
        await member.launch(launch, until=Phase.LAUNCHING)
    await member.finish()

    async def are_begun() -> bool:
        return member.servers() >= 2

    await eventually(are_begun, what="servers of their own")


async def test_a_cut_launch_without_an_id_ends_at_once(member: Member) -> None:
    await member.launch("", until=Phase.LAUNCHING)

    async def is_over() -> bool:
        return member.has_ended()

    await eventually(is_over, what="the launch to end")


async def test_a_dismissed_launch_ends_at_once(member: Member) -> None:
    await member.launch("a", until=Phase.LAUNCHING)

    async def is_over() -> bool:
        await member.dismiss("a")
        return member.has_ended()

    await eventually(is_over, what="the launch to end")


async def test_nobody_asks_again_and_the_launch_ends(hasty_member: Member) -> None:
    await hasty_member.launch("a", until=Phase.LAUNCHING)

    async def is_over() -> bool:
        return hasty_member.has_ended()

    await eventually(is_over, what="the grace period to end")
