"""Sessions that nobody uses end, whatever an open tab asks for; those in use do not."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from binder_federation.cluster_agent.hub_api import MOST_BYTES_OF_SERVER
from binder_federation.config.agent import HUB_LATER_SECONDS
from tests.support.agent_server import PATH, SHA, AgentServer, running_agent
from tests.support.eventually import eventually
from tests.support.fake_hub import FakeServer
from tests.support.warm_agents import pool_of, until_warm, waiting

HOUR = 3600.0
LONG_AGO = "2026-01-02T03:04:05.000000Z"


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def kernel(seconds_ago: float, *, state: str = "idle", connections: int = 1) -> dict[str, Any]:
    return {
        "id": "6e3c",
        "name": "python3",
        "last_activity": ago(seconds_ago),
        "execution_state": state,
        "connections": connections,
    }


def open_tab() -> dict[str, Any]:
    """The status of a server that an open tab asks for something all the time."""
    return {"started": ago(2 * HOUR), "last_activity": ago(1), "connections": 1, "kernels": 1}


async def session_of(agent: AgentServer, path: str = PATH, *, age: float = 2 * HOUR) -> FakeServer:
    """A session that began `age` seconds ago."""
    before = set(agent.stack.hub.servers)
    seen = await agent.launch(path)
    assert seen.last.phase.is_final, seen.text
    (name,) = set(agent.stack.hub.servers) - before
    server = agent.stack.hub.servers[name]
    server.started = datetime.now(UTC) - timedelta(seconds=age)
    server.answers["api/status"] = open_tab()
    return server


async def is_culled(agent: AgentServer, server: FakeServer) -> bool:
    """Whether a look at the servers ends this one."""
    await agent.context.sessions.refresh()  # the launch's place is given back
    await agent.context.sessions.refresh()
    await agent.context.culling.look()
    await agent.context.removals.wait(timeout_seconds=10)
    return server not in agent.stack.hub.servers.values()


@pytest.mark.parametrize(
    ("answers", "is_ended"),
    [
        ({"api/kernels": [kernel(1200)]}, True),
        ({"api/kernels": [kernel(60)]}, False),
        ({"api/kernels": [kernel(1200, state="busy")]}, False),
        ({"api/kernels": [kernel(1200, state="busy", connections=0)]}, True),
        ({"api/kernels": [kernel(1200)], "api/terminals": [{"last_activity": ago(9)}]}, False),
        ({}, True),
        ({"server-proxy/servers-info": {"server_processes": []}}, False),
    ],
    ids=[
        "a tab left open",
        "a notebook in use",
        "a long computation that is waited for",
        "a computation that nobody waits for",
        "a terminal in use",
        "a tab left open without a notebook",
        "RStudio",
    ],
)
async def test_what_is_use(answers: dict[str, Any], is_ended: bool) -> None:
    async with running_agent() as agent:
        server = await session_of(agent)
        server.answers.update(answers)
        assert await is_culled(agent, server) is is_ended


async def test_after_work_an_open_tab_has_its_time_again() -> None:
    async with running_agent() as agent:
        server = await session_of(agent, age=5 * HOUR)
        server.answers["api/kernels"] = [kernel(30)]
        assert not await is_culled(agent, server)
        server.answers["api/kernels"] = []
        assert not await is_culled(agent, server), "its kernels were shut down a moment ago"


HOSTILE: dict[str, Any] = {
    "a time in the future": [kernel(-1e9)],
    "no time": [{"last_activity": "soon"}],
    "deep": b"[" * 100_000,
    "not JSON": b"\xff\xfe\x00",
    "too large": b" " * (MOST_BYTES_OF_SERVER + 1),
    "too many": [kernel(1)] * 1000,
    "infinity": b'[{"last_activity": Infinity}]',
    "a large number": b'[{"last_activity": 1' + b"0" * 400 + b"}]",
    "an object": {"kernels": 3},
}


@pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE.keys())
async def test_what_a_server_makes_up_keeps_it_no_longer_than_its_age(answer: Any) -> None:
    async with running_agent() as agent:
        other = await session_of(agent, f"gh/owner/other/{SHA}")
        other.answers["api/kernels"] = [kernel(1200)]
        server = await session_of(agent)
        server.answers["api/kernels"] = answer
        assert not await is_culled(agent, server)
        assert other not in agent.stack.hub.servers.values(), "others are judged all the same"
        server.started -= timedelta(hours=5)
        assert await is_culled(agent, server)


async def test_a_status_without_end_is_none() -> None:
    async with running_agent() as agent:
        server = await session_of(agent)
        status = json.dumps(open_tab()).encode()
        server.answers["api/status"] = status + b" " * MOST_BYTES_OF_SERVER
        (name,) = agent.context.sessions.servers or agent.stack.hub.servers
        assert not await is_culled(agent, server), str(name)


async def test_repositories_and_events_have_limits_of_their_own() -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    patterns = [
        {"pattern": "gh/owner/.*", "cull_idle_seconds": 1800, "max_age_seconds": 3 * HOUR},
        {"pattern": "gh/owner/workshop", "max_age_seconds": 10 * HOUR, "until": tomorrow},
        {"pattern": "gh/owner/later", "max_age_seconds": 10 * HOUR, "from": tomorrow},
    ]
    async with running_agent(patterns=patterns) as agent:
        usual = await session_of(agent, f"gh/elsewhere/name/{SHA}")
        longer = await session_of(agent, f"gh/owner/name/{SHA}")
        workshop = await session_of(agent, f"gh/owner/workshop/{SHA}", age=4 * HOUR)
        later = await session_of(agent, f"gh/owner/later/{SHA}", age=4 * HOUR)
        for server in (usual, longer, workshop, later):
            server.answers["api/kernels"] = [kernel(1200)]
        found = [await is_culled(agent, server) for server in (usual, longer, workshop, later)]
        assert found == [True, False, False, True]
        settings = agent.context.settings
        hubs = settings.longest_launch
        pause = HUB_LATER_SECONDS + 2 * settings.launch.cull_every_seconds
        assert hubs.cull_idle_seconds == 1800 + pause
        assert hubs.max_age_seconds == 10 * HOUR + settings.warm.max_age_seconds


async def test_a_session_in_use_ends_when_it_is_too_old_and_is_counted() -> None:
    async with running_agent() as agent:
        server = await session_of(agent, age=7 * HOUR)
        server.answers["api/kernels"] = [kernel(5)]
        assert await is_culled(agent, server)
        text = (await agent.client.get("/metrics")).text
        assert 'binderfed_agent_servers_culled_total{reason="too_old"} 1.0' in text


async def test_servers_of_others_at_the_same_hub_are_left_alone() -> None:
    async with running_agent() as agent:
        server = await session_of(agent)
        server.answers["api/kernels"] = [kernel(1200)]
        del server.options["repository"]
        assert not await is_culled(agent, server)


async def test_a_waiting_server_is_not_idle_and_its_visitor_has_the_whole_time() -> None:
    async with running_agent(warm=pool_of(1)) as agent:
        hub = agent.stack.hub
        await agent.launch()
        await until_warm(agent, 1)
        (name,) = waiting(hub)
        server = hub.servers[name]
        server.started = datetime.now(UTC) - timedelta(hours=7)
        assert not await is_culled(agent, server), "it waits"
        await agent.launch()

        async def is_noted() -> bool:
            return name not in waiting(hub) and name in hub.activity

        await eventually(is_noted, what="the server to be handed out")
        server.answers["api/kernels"] = [kernel(60)]
        assert not await is_culled(agent, server), "its age began with its visitor"
