"""One pass over the member's pods: what room there is, who owns what, what is stuck.

Reads the cluster and does what the pure parts decide (`room.py`, `leftovers.py`,
`build_leftovers.py`). A cluster that does not answer is told by the checks; here it only
means that nothing is learned.
"""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from binder_federation.binder.messages import CheckRecord
from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.stacks.base import Room
from binder_federation.cluster_agent.stacks.kubernetes.builder import KubernetesBuilder
from binder_federation.cluster_agent.stacks.kubernetes.client import KubernetesApi
from binder_federation.cluster_agent.stacks.kubernetes.errors import ClusterError, NotAllowed
from binder_federation.cluster_agent.stacks.kubernetes.isolation import disk_limits, disk_requests
from binder_federation.cluster_agent.stacks.kubernetes.labels import Component, selector_of
from binder_federation.cluster_agent.stacks.kubernetes.leftovers import (
    choose_leftovers,
    server_of,
)
from binder_federation.cluster_agent.stacks.kubernetes.nodes import NodeReader
from binder_federation.cluster_agent.stacks.kubernetes.pods import (
    Json,
    has_ended,
    made_at,
    name_of,
    uid_of,
)
from binder_federation.cluster_agent.stacks.kubernetes.prepull import PULL_SECONDS
from binder_federation.cluster_agent.stacks.kubernetes.room import Seen, demand_of, read_room
from binder_federation.config.agent import AgentSettings

log = structlog.get_logger(__name__)

PASS_SECONDS = 30.0
ROOM_EVERY_SECONDS = 10.0
_DISK = "ephemeral-storage"


class Housekeeping:
    """Knows the room there is, and removes what nobody owns.

    `clock` gives seconds that only grow, `now` seconds since the epoch.
    """

    def __init__(
        self,
        *,
        api: KubernetesApi,
        builder: KubernetesBuilder,
        nodes: NodeReader,
        settings: AgentSettings,
        clock: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        self._api = api
        self._builder = builder
        self._nodes = nodes
        self._settings = settings
        self._clock = clock
        self._now = now
        self._room = Room()
        self._room_read_at = -ROOM_EVERY_SECONDS
        self._full_until = 0.0
        self._may_read_all_pods = True
        self._unknown: frozenset[str] = frozenset()
        self._stuck = 0
        self.servers = 0
        """Pods of users that have not ended, as last read."""

    @property
    def room(self) -> Room:
        """What the last pass found, or a refusal since."""
        if self._clock() < self._full_until:
            reason = "The cluster refused a server for want of room."
            return Room(sessions=0, can_build=self._room.can_build, reason=reason)
        return self._room

    def note_full(self) -> None:
        """The cluster refused a server for want of room."""
        self._full_until = self._clock() + self._settings.kubernetes.full_seconds

    def check(self) -> CheckRecord:
        """Whether few pods are stuck."""
        most = self._settings.kubernetes.most_stuck
        message = f"{self._stuck} pods neither start nor end." if self._stuck else ""
        return CheckRecord(service="Stuck pods", ok=self._stuck < most, message=message)

    async def run(self, *, known_servers: frozenset[ServerName] | None) -> None:
        """One pass; what fails is left to the next one."""
        try:
            async with asyncio.timeout(PASS_SECONDS):
                await self._run(known_servers)
        except (ClusterError, TimeoutError) as error:
            log.warning("housekeeping_failed", reason=str(error) or "It took too long.")

    async def _run(self, known_servers: frozenset[ServerName] | None) -> None:
        servers = await self._api.list_pods(selector_of(self._settings.name, Component.SERVER))
        self.servers = sum(not has_ended(pod) for pod in servers)
        if self._clock() - self._room_read_at >= ROOM_EVERY_SECONDS:
            self._room = await self._read_room(servers)
            self._room_read_at = self._clock()
        stuck = await self._remove_leftovers(servers, known_servers)
        await self._remove_prepullers()
        self._stuck = stuck + await self._builder.reap_builds()

    async def _read_room(self, servers: Sequence[Json]) -> Room:
        seen = Seen(
            quotas=await self._api.list_quotas(),
            pods=await self._read_pods(),
            servers=servers,
            nodes=await self._nodes.nodes(),
            build_nodes=await self._nodes.build_nodes(),
        )
        isolation = self._settings.isolation
        demand = demand_of(
            self._settings.resources,
            disk_requests(isolation).get(_DISK, ""),
            disk_limits(isolation).get(_DISK, ""),
        )
        is_autoscaled = self._settings.kubernetes.is_autoscaled
        return read_room(seen, demand, is_autoscaled=is_autoscaled)

    async def _read_pods(self) -> Sequence[Json]:
        """Of all namespaces, if that is allowed: they share the nodes."""
        if self._may_read_all_pods and self._settings.kubernetes.may_read_nodes:
            try:
                return await self._api.list_all_pods()
            except NotAllowed:
                self._may_read_all_pods = False
                log.info("room_from_own_pods_only")
        return await self._api.list_pods()

    async def _remove_leftovers(
        self, servers: Sequence[Json], known_servers: frozenset[ServerName] | None
    ) -> int:
        found = choose_leftovers(
            servers,
            known_servers=known_servers,
            unknown_before=self._unknown,
            settings=self._settings.kubernetes,
            now=self._now(),
        )
        self._unknown = found.unknown
        for pod in found.orphans:
            log.warning("pod_without_user_deleted", pod=name_of(pod), server=str(server_of(pod)))
            await self._api.delete_pod(name_of(pod), uid=uid_of(pod))
        for pod in found.forgotten:
            log.warning("stuck_pod_forgotten", pod=name_of(pod))
            await self._api.delete_pod(name_of(pod), uid=uid_of(pod), grace_seconds=0)
        return len(found.stuck)

    async def _remove_prepullers(self) -> None:
        """Of an agent that was killed while it pulled."""
        for pod in await self._api.list_pods(selector_of(self._settings.name, Component.PREPULL)):
            if self._now() - made_at(pod) > PULL_SECONDS + PASS_SECONDS:
                await self._api.delete_pod(name_of(pod), uid=uid_of(pod), grace_seconds=0)
