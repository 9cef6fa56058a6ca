"""Agents whose pool of warm servers is as large as a test wants, whatever the arrivals."""

from collections.abc import Mapping
from typing import Any

from binder_federation.cluster_agent.hub_models import HANDED_OUT_GROUP
from tests.support.agent_server import AgentServer, Seen
from tests.support.eventually import eventually
from tests.support.fake_hub import FakeHub


def pool_of(servers: int, **changes: Any) -> Mapping[str, Any]:
    """Settings of a pool that has so many servers of an image after its first launch."""
    return {
        "share": 1.0,
        "free_share": 0.0,
        "least_per_hour": 0.001,
        "margin": 1e6,
        "most_per_image": servers,
        **changes,
    }


def warm_servers(agent: AgentServer) -> int:
    """Servers that a visitor can have at once."""
    return sum(record.servers for record in agent.context.warm.records())


async def until_warm(agent: AgentServer, servers: int) -> None:
    """Wait until so many servers wait for visitors."""

    async def are_there() -> bool:
        return warm_servers(agent) == servers

    await eventually(are_there, what=f"{servers} warm servers", within_seconds=15)


def user_of(seen: Seen) -> str:
    """The hub user whose server the launch was given."""
    return str(seen.last.fields["url"]).rstrip("/").rsplit("/", 1)[1]


def was_warm(seen: Seen) -> bool:
    """Whether the launch was given a warm server."""
    return seen.last.fields.get("warm") is True


def waiting(hub: FakeHub) -> set[str]:
    """Users whose server was started warm and given to nobody."""
    return {
        name
        for name, server in hub.servers.items()
        if server.options.get("warm") and name not in hub.groups.get(HANDED_OUT_GROUP, set())
    }
