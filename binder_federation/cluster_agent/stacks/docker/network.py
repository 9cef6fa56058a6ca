"""The network of a member's servers, and what they do not reach from it.

Servers do not reach each other: Docker itself sees to that (`enable_icc`). Neither do
they reach this machine, nor the cloud's metadata address; that takes rules of iptables,
so it takes root on the engine's own machine. The rules name the network's bridge:
`DOCKER-USER` is the chain that Docker leaves to operators, for what is passed on;
`INPUT` is for what is meant for this machine. Answers to the proxy's connections pass.
https://docs.docker.com/engine/network/packet-filtering-firewalls/
"""

import asyncio
import hashlib
import os
import shutil
from collections.abc import Sequence

import structlog

from binder_federation.cluster_agent.stacks.docker.engine import Engine
from binder_federation.cluster_agent.stacks.docker.errors import EngineError, InUse
from binder_federation.cluster_agent.stacks.docker.labels import COMPONENT_LABEL, NETWORK
from binder_federation.cluster_agent.stacks.repo2docker.ordering import MEMBER_LABEL
from binder_federation.config.stacks.docker import DockerStackSettings

log = structlog.get_logger(__name__)

_SECONDS = 10.0


def bridge_name(network: str) -> str:
    """The network's interface on this machine, at most 15 characters."""
    return f"bf-{hashlib.blake2b(network.encode(), digest_size=5).hexdigest()}"


def network_config(network: str, member: str) -> dict[str, object]:
    """The network, as the engine's API wants it."""
    return {
        "Name": network,
        "Driver": "bridge",
        "Options": {
            "com.docker.network.bridge.enable_icc": "false",
            "com.docker.network.bridge.name": bridge_name(network),
        },
        "Labels": {MEMBER_LABEL: member, COMPONENT_LABEL: NETWORK},
    }


def firewall_rules(bridge: str, blocked: Sequence[str]) -> list[list[str]]:
    """Chain and rule, each once, in the order in which they are inserted at a chain's top."""
    from_servers = ["-i", bridge]
    refuse = ["-j", "REJECT", "--reject-with", "icmp-port-unreachable"]
    passed_on = [["DOCKER-USER", *from_servers, "-d", network, *refuse] for network in blocked]
    new = ["-m", "conntrack", "--ctstate", "NEW"]
    return [*passed_on, ["INPUT", *from_servers, *new, *refuse]]


class ServerNetwork:
    """The network of one member."""

    def __init__(self, *, engine: Engine, settings: DockerStackSettings, member: str) -> None:
        self.name = settings.network.replace("{name}", member)
        self._engine = engine
        self._settings = settings
        self._member = member
        self.firewall_missing = ""
        """Why there is no firewall; empty when there is one."""

    async def ensure(self) -> None:
        """Have the network, and its rules where that can be. Raises `EngineError`."""
        if not await self._engine.networks(self.name):
            await self._engine.create_network(network_config(self.name, self._member))
        self.firewall_missing = await self._ensure_firewall()

    async def remove(self) -> None:
        """Remove both; the network stays while another agent's servers are attached."""
        try:
            await self._engine.remove_network(self.name)
        except InUse:
            return
        except EngineError as error:
            log.warning("network_left_over", network=self.name, reason=error.message)
            return
        if not self.firewall_missing:
            for rule in self._rules():
                await _iptables("-D", *rule)

    def _rules(self) -> list[list[str]]:
        return firewall_rules(bridge_name(self.name), self._settings.blocked_networks)

    async def _ensure_firewall(self) -> str:
        if not self._settings.firewall:
            return "docker.firewall is off."
        if not self._engine.is_here:
            return "the engine is on another machine."
        if os.geteuid() != 0:
            return "the agent does not run as root."
        if shutil.which("iptables") is None:
            return "the program iptables is missing."
        if not await self._has_our_bridge():
            return f"the network {self.name} was not made by the agent."
        for rule in self._rules():
            if await _iptables("-C", *rule) != 0 and await _iptables("-I", *rule) != 0:
                return "iptables did not take the rules."
        return ""

    async def _has_our_bridge(self) -> bool:
        option = "com.docker.network.bridge.name"
        networks = await self._engine.networks(self.name)
        return any(
            (network.get("Options") or {}).get(option) == bridge_name(self.name)
            for network in networks
        )


async def _iptables(action: str, *rule: str) -> int:
    """Its exit status; another program may hold its lock for a moment."""
    process = await asyncio.create_subprocess_exec(
        *("iptables", "-w", "5", action, *rule),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            return await process.wait()
    except TimeoutError:
        process.kill()
        return await process.wait()
