"""Containers that this agent has to remove: nobody's, another run's, those that write too much.

Every container that the spawner makes carries the member's name and the agent's state
folder. One whose folder no agent holds any more (it was moved, or removed) is nobody's.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import structlog

from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.stacks.docker.engine import Engine, EngineContainer
from binder_federation.cluster_agent.stacks.docker.errors import EngineError
from binder_federation.cluster_agent.stacks.docker.labels import (
    COMPONENT_LABEL,
    OWNER_LABEL,
    SESSION,
    label_filters,
    server_of,
)
from binder_federation.cluster_agent.stacks.docker.ownership import is_held
from binder_federation.cluster_agent.stacks.repo2docker.ordering import MEMBER_LABEL

log = structlog.get_logger(__name__)

YOUNG_SECONDS = 60.0
"""A container may be there before its user is in the hub's list."""


class SessionContainers:
    """The containers of one agent's servers. `owner` is its state folder."""

    def __init__(
        self, *, engine: Engine, member: str, owner: Path, young_seconds: float = YOUNG_SECONDS
    ) -> None:
        self._engine = engine
        self._member = member
        self._owner = str(owner)
        self._young_seconds = young_seconds

    async def list(self, *, with_sizes: bool = False) -> Sequence[EngineContainer]:
        """This agent's. Raises `EngineError`."""
        labels = {
            MEMBER_LABEL: self._member,
            OWNER_LABEL: self._owner,
            COMPONENT_LABEL: SESSION,
        }
        return await self._engine.containers(label_filters(labels), with_sizes=with_sizes)

    async def remove_all(self) -> None:
        """Remove this agent's. Raises `EngineError`."""
        for container in await self.list():
            await self._remove(container, reason="the agent stops or begins")

    async def remove_orphans(self) -> None:
        """Remove the member's containers whose agent is no more, on this machine."""
        labels = {MEMBER_LABEL: self._member, COMPONENT_LABEL: SESSION}
        for container in await self._engine.containers(label_filters(labels)):
            owner = container.labels.get(OWNER_LABEL, "")
            if owner != self._owner and not is_held(Path(owner)):
                await self._remove(container, reason="its agent is no more")

    async def remove_unknown(self, known: frozenset[ServerName]) -> None:
        """Remove those that are no server of the hub."""
        before = time.time() - self._young_seconds
        for container in unknown(await self.list(), known, before=before):
            await self._remove(container, reason="the hub does not know it")

    async def remove_oversized(self, limit_bytes: int) -> None:
        """Remove those that have written more than that to their own layer."""
        for container in await self.list(with_sizes=True):
            if container.written_bytes > limit_bytes:
                await self._remove(container, reason="it wrote more than disk_limit")

    async def _remove(self, container: EngineContainer, *, reason: str) -> None:
        try:
            if await self._engine.remove_container(container.id):
                log.info("container_removed", container=container.name, reason=reason)
        except EngineError as error:
            log.warning("container_left_over", container=container.name, reason=error.message)


def unknown(
    containers: Sequence[EngineContainer], known: frozenset[ServerName], *, before: float
) -> list[EngineContainer]:
    """The containers of servers that are not known, of those made `before` (since the epoch)."""
    return [
        container
        for container in containers
        if server_of(container.labels) not in known and container.created < before
    ]
