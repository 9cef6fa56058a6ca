"""A member's credential is replaced while launches go on, and none is refused."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from binder_federation.binder.build_tokens import BuildClaims, sign_build_token
from binder_federation.binder.errors import NotAuthorized
from binder_federation.config.federation import MemberSettings
from binder_federation.federation.roster import make_roster
from tests.support.agent_server import PATH, AgentServer, running_agent
from tests.support.eventually import eventually
from tests.support.federation_server import FederationServer, running_federation
from tests.support.ports import free_port

OLD, NEW = "the-old-credential", "the-new-credential"


class AgentMember:
    """A real agent as a member, with the credentials that the federation has of it."""

    name = "alpha"

    def __init__(self, agent: AgentServer, credential: str, *old: str) -> None:
        self.settings = {
            "name": self.name,
            "url": agent.url,
            "credential": credential,
            "old_credentials": list(old),
        }


@asynccontextmanager
async def agent_of(port: int, credential: str, *old: str) -> AsyncIterator[AgentServer]:
    async with running_agent(
        federation_url=f"http://127.0.0.1:{port}",
        report_every_seconds=0.2,
        credential=credential,
        old_credentials=list(old),
    ) as agent:
        yield agent


async def check_works(federation: FederationServer) -> None:
    """Launches are taken, and reports are."""
    assert (await federation.launch(PATH)).phases[-1] == "ready"
    context = federation.context

    async def is_reporting() -> bool:
        return context.reports.load("alpha", now=context.clock()) is not None

    await eventually(is_reporting, what="the agent's reports to be taken")


@pytest.mark.parametrize(
    ("federation", "agent"),
    [
        ((OLD,), (OLD,)),
        ((OLD,), (NEW, OLD)),
        ((NEW, OLD), (NEW, OLD)),
        ((NEW,), (NEW, OLD)),
        ((NEW,), (NEW,)),
    ],
)
async def test_each_step_works(federation: tuple[str, ...], agent: tuple[str, ...]) -> None:
    """The member's institution goes first: docs/limits.md."""
    port = free_port()
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(agent_of(port, *agent))
        member: Any = AgentMember(running, *federation)
        server = await stack.enter_async_context(running_federation([member], port=port))
        await check_works(server)


async def test_replicas_of_both_kinds_launch_while_they_are_replaced() -> None:
    port = free_port()
    async with AsyncExitStack() as stack:
        agent = await stack.enter_async_context(agent_of(port, NEW, OLD))
        servers = []
        for credentials, at in (((OLD,), port), ((NEW, OLD), 0), ((NEW,), 0)):
            member: Any = AgentMember(agent, *credentials)
            servers.append(await stack.enter_async_context(running_federation([member], port=at)))
        for _ in range(3):
            for server in servers:
                assert (await server.launch(PATH)).phases[-1] == "ready"


async def test_what_was_taken_out_is_refused() -> None:
    async with agent_of(free_port(), NEW) as agent:
        token = sign_build_token(OLD, BuildClaims(PATH), now=time.time())
        seen = await agent.launch(
            headers={"Accept": "text/event-stream", "Authorization": f"Bearer {token}"}
        )
        assert seen.status == 403
    roster = make_roster(
        [MemberSettings.model_validate({"name": "a", "url": "http://a", "credential": NEW})]
    )
    with pytest.raises(NotAuthorized):
        roster.authenticate("a", OLD)
