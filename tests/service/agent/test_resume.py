"""A launch that its token names outlives its stream, for a while, and is never begun twice."""

import asyncio

import pytest

from binder_federation.binder.build_tokens import BuildClaims
from binder_federation.binder.errors import BuildFailed
from binder_federation.binder.events import Phase
from binder_federation.cluster_agent.launches import LaunchRequest
from tests.support.agent_server import PATH, SHA, AgentServer, Seen, running_agent
from tests.support.eventually import eventually
from tests.support.fake_stack import FakeStack

CLAIMS = BuildClaims(audience=PATH, launch="a-launch")
OTHER = BuildClaims(audience=PATH, launch="another-launch")


def numbers(*seen: Seen) -> list[int]:
    return [int(event_id) for one in seen for event_id in one.ids]


async def is_over(agent: AgentServer) -> bool:
    return agent.context.sessions.usage().total == 0 and not agent.stack.hub.users


def make_slow_stack() -> FakeStack:
    """Builds and servers that end when the test says so."""
    stack = FakeStack()
    stack.hub.starts_by_themselves = False
    stack.builder.may_finish.clear()
    return stack


@pytest.mark.parametrize("cut_at", [Phase.BUILDING, Phase.LAUNCHING])
async def test_a_cut_launch_goes_on_and_is_watched_again(cut_at: Phase) -> None:
    stack = make_slow_stack()
    if cut_at is Phase.LAUNCHING:
        stack.builder.may_finish.set()
    async with running_agent(stack) as agent:
        first = await agent.launch(claims=CLAIMS, until=cut_at)
        async with asyncio.TaskGroup() as group:
            begun = asyncio.Event()
            following = group.create_task(
                agent.launch(claims=CLAIMS, after=first.ids[-1], begun=begun)
            )
            stack.builder.may_finish.set()

            async def is_starting() -> bool:
                return bool(stack.hub.servers)

            await eventually(is_starting, what="the server to start")
            stack.hub.finish()
        rest = await following
        assert rest.last.phase is Phase.READY
        assert numbers(first, rest) == list(range(1, len(numbers(first, rest)) + 1)), (
            "the second stream goes on where the first was cut"
        )
        assert len(stack.builder.plans) == 1, "one build"
        assert stack.hub.calls["start_server"] == 1, "one server"


async def test_without_a_number_all_events_come_again(agent: AgentServer) -> None:
    first = await agent.launch(claims=CLAIMS)
    again = await agent.launch(claims=CLAIMS)
    assert [(e.phase, e.message) for e in again.events] == [
        (e.phase, e.message) for e in first.events
    ]
    assert again.last.fields == first.last.fields, "the same server and the same token"
    assert len(agent.stack.hub.servers) == 1


async def test_after_the_end_the_last_event_comes_in_any_case(agent: AgentServer) -> None:
    first = await agent.launch(claims=CLAIMS)
    again = await agent.launch(claims=CLAIMS, after=first.ids[-1])
    assert [event.phase for event in again.events] == [Phase.READY]
    assert again.ids == first.ids[-1:]


async def test_a_failure_is_kept_too(agent: AgentServer) -> None:
    agent.stack.builder.failure = BuildFailed("There is no package named nonesuch.")
    await agent.launch(claims=CLAIMS)
    again = await agent.launch(claims=CLAIMS)
    assert again.last.phase is Phase.FAILED
    assert len(agent.stack.builder.plans) == 1, "what failed is not built again for this launch"


async def test_two_launches_and_two_paths_are_told_apart(agent: AgentServer) -> None:
    path = f"gh/owner/other/{SHA}"
    await agent.launch(claims=CLAIMS)
    await agent.launch(claims=OTHER, after="3")
    elsewhere = await agent.launch(path, claims=BuildClaims(audience=path, launch="a-launch"))
    assert len(agent.stack.hub.servers) == 3
    assert elsewhere.ids[0] == "1", "what is new is told from its beginning"


async def test_an_abandoned_launch_holds_its_place_for_the_grace_period_only() -> None:
    stack = make_slow_stack()
    stack.builder.may_finish.set()
    async with running_agent(stack, launch={"grace_seconds": 1.0}, quota={"sessions": 1}) as agent:
        await agent.launch(claims=CLAIMS, until=Phase.LAUNCHING)
        refused = await agent.launch(claims=OTHER)
        assert refused.last.fields["code"] == "pod_quota", "the place is held at first"

        await eventually(lambda: is_over(agent), what="the abandoned launch to be given up")

        stack.hub.starts_by_themselves = True
        assert (await agent.launch(claims=OTHER)).last.phase is Phase.READY


async def test_a_session_that_nobody_was_told_of_is_removed_after_the_grace_period() -> None:
    stack = make_slow_stack()
    stack.builder.may_finish.set()
    async with running_agent(stack, launch={"grace_seconds": 0.5}) as agent:
        await agent.launch(claims=CLAIMS, until=Phase.LAUNCHING)

        async def is_starting() -> bool:
            return bool(stack.hub.servers)

        await eventually(is_starting, what="the server to start")
        stack.hub.finish()

        async def is_removed() -> bool:
            return not stack.hub.users

        await eventually(is_removed, what="the session to be removed")


async def test_a_launch_that_was_told_of_outlives_its_stream() -> None:
    async with running_agent(launch={"grace_seconds": 0.05, "kept_seconds": 0.05}) as agent:
        await agent.launch(claims=CLAIMS)

        async def is_forgotten() -> bool:
            return agent.context.streams.find(LaunchRequest(PATH, CLAIMS)) is None

        await eventually(is_forgotten, what="the launch to be forgotten")
        assert len(agent.stack.hub.servers) == 1, "the visitor's session stays"


async def test_a_dismissed_launch_ends_at_once() -> None:
    stack = make_slow_stack()
    stack.builder.may_finish.set()
    async with running_agent(stack) as agent:
        await agent.launch(claims=CLAIMS, until=Phase.LAUNCHING)
        assert await agent.dismiss(CLAIMS) == 204
        await eventually(lambda: is_over(agent), what="the launch to be given up")


async def test_dismissing_disturbs_nobody_who_watches() -> None:
    stack = make_slow_stack()
    async with running_agent(stack) as agent, asyncio.TaskGroup() as group:
        begun = asyncio.Event()
        following = group.create_task(agent.launch(claims=CLAIMS, begun=begun))
        await begun.wait()
        await agent.dismiss(CLAIMS)
        stack.hub.starts_by_themselves = True
        stack.builder.may_finish.set()
        assert (await following).last.phase is Phase.READY


async def test_dismissing_needs_a_token_and_takes_what_is_unknown(agent: AgentServer) -> None:
    assert (await agent.client.delete(f"/build/{PATH}")).status_code == 403
    assert await agent.dismiss(CLAIMS) == 204


async def test_a_stop_ends_also_what_nobody_watches() -> None:
    stack = make_slow_stack()
    stack.builder.may_finish.set()
    async with running_agent(stack) as agent:
        await agent.launch(claims=CLAIMS, until=Phase.LAUNCHING)
        await agent.stop()
        assert not stack.hub.users, "the launch was cleaned up before the stack stopped"
