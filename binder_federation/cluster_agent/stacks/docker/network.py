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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from binder_federation.cluster_agent.stacks.docker.engine import Engine
from binder_federation.cluster_agent.stacks.docker.errors import EngineError, InUse
from binder_federation.cluster_agent.stacks.docker.labels import (
    COMPONENT_LABEL,
    NETWORK,
    OWNER_LABEL,
    label_filters,
)
from binder_federation.cluster_agent.stacks.docker.ownership import is_held
from binder_federation.cluster_agent.stacks.repo2docker.ordering import MEMBER_LABEL
from binder_federation.config.stacks.docker import DockerStackSettings

log = structlog.get_logger(__name__)

DEFAULT_BRIDGE = "docker0"
_SECONDS = 10.0
_DNS_PORT = 53
_NEW = ("-m", "conntrack", "--ctstate", "NEW")
_REFUSE = ("-j", "REJECT", "--reject-with", "icmp-port-unreachable")


def bridge_name(network: str) -> str:
    """The network's interface on this machine, at most 15 characters."""
    return f"bf-{hashlib.blake2b(network.encode(), digest_size=5).hexdigest()}"


def network_name(pattern: str, *, member: str, owner: Path) -> str:
    """The network's name, from the setting."""
    short = hashlib.blake2b(str(owner).encode(), digest_size=3).hexdigest()
    return pattern.replace("{name}", member).replace("{id}", short)


def network_config(network: str, *, member: str, owner: Path) -> dict[str, object]:
    """The network, as the engine's API wants it."""
    return {
        "Name": network,
        "Driver": "bridge",
        "Options": {
            "com.docker.network.bridge.enable_icc": "false",
            "com.docker.network.bridge.name": bridge_name(network),
        },
        "Labels": {
            MEMBER_LABEL: member,
            OWNER_LABEL: str(owner),
            COMPONENT_LABEL: NETWORK,
        },
    }


def firewall_rules(
    bridge: str, blocked: Sequence[str], *, ports: Sequence[int] = ()
) -> list[list[str]]:
    """Chain and rule, each once; each refuses something, so their order does not matter."""
    return [
        *blocking_rules(bridge, blocked),
        *port_rules(bridge, ports),
        ["INPUT", "-i", bridge, *_NEW, *_REFUSE],
    ]


def port_rules(bridge: str, ports: Sequence[int]) -> list[list[str]]:
    """Those that refuse connections to other ports than `ports` (TCP) and DNS; none for none."""
    if not ports:
        return []
    open_ports = ",".join(str(port) for port in (_DNS_PORT, *ports))
    start = ["DOCKER-USER", "-i", bridge]
    return [
        [*start, "-p", "tcp", *_NEW, "-m", "multiport", "!", "--dports", open_ports, *_REFUSE],
        [*start, "-p", "udp", *_NEW, "-m", "udp", "!", "--dport", str(_DNS_PORT), *_REFUSE],
    ]


def blocking_rules(bridge: str, blocked: Sequence[str]) -> list[list[str]]:
    """Those that refuse `blocked` networks, and leave this machine alone."""
    return [["DOCKER-USER", "-i", bridge, "-d", network, *_REFUSE] for network in blocked]


class ServerNetwork:
    """The network of one member. `owner` is its agent's state folder."""

    def __init__(
        self, *, engine: Engine, settings: DockerStackSettings, member: str, owner: Path
    ) -> None:
        self.name = network_name(settings.network, member=member, owner=owner)
        self._owner = owner
        self._engine = engine
        self._settings = settings
        self._member = member
        self.firewall_missing = ""
        """Why there is no firewall; empty when there is one."""

    async def ensure(self) -> None:
        """Have the network, and its rules where that can be. Raises `EngineError`."""
        if not await self._named():
            await self._engine.create_network(
                network_config(self.name, member=self._member, owner=self._owner)
            )
        self.firewall_missing = await self._ensure_firewall()

    async def remove_orphans(self) -> None:
        """Remove the member's networks whose agent is no more, on this machine."""
        labels = {MEMBER_LABEL: self._member, COMPONENT_LABEL: NETWORK}
        for network in await self._engine.networks(label_filters(labels)):
            owner = Path((network.get("Labels") or {}).get(OWNER_LABEL, ""))
            if owner != self._owner and not is_held(owner):
                await self._remove(str(network["Name"]))

    async def remove(self) -> None:
        """Remove both; the network stays while another agent's servers are attached."""
        await self._remove(self.name)

    async def _remove(self, name: str) -> None:
        try:
            await self._engine.remove_network(name)
        except InUse:
            return
        except EngineError as error:
            log.warning("network_left_over", network=name, reason=error.message)
            return
        if not self._why_no_rules():
            for rule in self._rules(name):
                await _iptables("-D", *rule)

    def _rules(self, name: str) -> list[list[str]]:
        blocked = self._settings.blocked_networks
        rules = firewall_rules(bridge_name(name), blocked, ports=self._settings.egress_ports)
        if self._settings.firewall_builds:
            rules += blocking_rules(DEFAULT_BRIDGE, blocked)
        return rules

    def _why_no_rules(self) -> str:
        if not self._settings.firewall:
            return "docker.firewall is off."
        if not self._engine.is_here:
            return "the engine is on another machine."
        if os.geteuid() != 0:
            return "the agent does not run as root."
        if shutil.which("iptables") is None:
            return "the program iptables is missing."
        return ""

    async def _ensure_firewall(self) -> str:
        if reason := self._why_no_rules():
            return reason
        if not await self._has_our_bridge():
            return f"the network {self.name} was not made by the agent."
        for rule in self._rules(self.name):
            if await _iptables("-C", *rule) != 0 and await _iptables("-I", *rule) != 0:
                return "iptables did not take the rules."
        return ""

    async def _named(self) -> Sequence[Mapping[str, Any]]:
        found = await self._engine.networks({"name": [self.name]})
        return [network for network in found if network.get("Name") == self.name]

    async def _has_our_bridge(self) -> bool:
        option = "com.docker.network.bridge.name"
        networks = await self._named()
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
