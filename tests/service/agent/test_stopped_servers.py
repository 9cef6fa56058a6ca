"""Servers that end by themselves: an image without Jupyter must not cost a member its good name."""

from typing import Any

from binder_federation.binder.events import Event, Phase
from binder_federation.cluster_agent.stacks.containers.refusals import has_stopped
from tests.support.agent_server import SHA, AgentServer, running_agent
from tests.support.eventually import eventually
from tests.support.fake_stack import FakeStack

GOOD, BAD = f"gh/owner/good/{SHA}", f"gh/owner/bad/{SHA}"


async def stop_at_once(agent: AgentServer, path: str, sentence: str) -> Event:
    """A launch whose server ends while it starts, as the hub tells it."""
    hub = agent.stack.hub
    hub.starts_fail, hub.failure = True, sentence
    try:
        return (await agent.launch(path)).last
    finally:
        hub.starts_fail = False


def blame(event: Event) -> dict[str, Any]:
    assert event.phase is Phase.FAILED, f"the server was to end: {event}"
    return {name: event.fields.get(name) for name in ("code", "fault")}


MEMBERS = {"code": "launch_failed", "fault": "member"}
REPOSITORYS = {"code": "server_stopped", "fault": "repository"}


async def test_an_image_whose_server_ends_is_blamed_where_others_start() -> None:
    async with running_agent(FakeStack()) as agent:
        assert blame(await stop_at_once(agent, BAD, has_stopped(127))) == MEMBERS, (
            "nothing has started here yet"
        )
        assert (await agent.launch(GOOD)).last.phase is Phase.READY
        told = await stop_at_once(agent, BAD, has_stopped(127))
        assert blame(told) == REPOSITORYS
        assert "exit code 127" in told.message

        async def only_the_good_is_left() -> bool:
            return len(agent.stack.hub.users) == 1

        await eventually(only_the_good_is_left, what="the failed launches to be cleaned up")


async def test_a_member_whose_servers_all_end_is_blamed_itself() -> None:
    async with running_agent(FakeStack()) as agent:
        assert (await agent.launch(GOOD)).last.phase is Phase.READY
        assert blame(await stop_at_once(agent, GOOD, has_stopped(1))) == MEMBERS
        assert blame(await stop_at_once(agent, BAD, has_stopped(1))) == MEMBERS


async def test_what_somebody_ended_is_never_the_images() -> None:
    async with running_agent(FakeStack()) as agent:
        assert (await agent.launch(GOOD)).last.phase is Phase.READY
        assert blame(await stop_at_once(agent, BAD, has_stopped(137))) == MEMBERS
        assert blame(await stop_at_once(agent, BAD, "The image cannot be pulled.")) == MEMBERS
