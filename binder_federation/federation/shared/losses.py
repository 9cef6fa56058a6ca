"""Tells the locality store what was lost, once, whoever noticed it first.

A Redis that comes back empty is noticed by the heartbeat (another epoch) and by the
tail (a shorter stream); one that comes back with an older copy only by the tail.
"""

from typing import Protocol

from binder_federation.federation.shared.position import Lost
from binder_federation.federation.shared.presence import RedisPresence
from binder_federation.federation.shared.redis_bus import RedisBus
from binder_federation.runtime.tasks import BackgroundTasks


class Loser(Protocol):
    """Who must know."""

    def lost(self, why: Lost, *, epoch: str = "") -> None:
        """Facts were lost, or missed; `epoch` names the loss, the same for all replicas."""


class Losses:
    """Between those who notice and the one who must know."""

    def wire(
        self, *, bus: RedisBus, presence: RedisPresence, store: Loser, tasks: BackgroundTasks
    ) -> None:
        """Connect them; each needs the other."""
        self._bus = bus
        self._presence = presence
        self._store = store
        self._tasks = tasks
        bus.on_lost(self._noticed)

    def flushed(self, epoch: str) -> None:
        """The heartbeat found another epoch."""
        self._bus.tail.read_from_start()
        self._store.lost(Lost.FLUSHED, epoch=epoch)

    def _noticed(self, why: Lost) -> None:
        if why is Lost.TRIMMED:
            self._store.lost(why)
        else:
            self._tasks.start(self._look(), name="redis loss")

    async def _look(self) -> None:
        before = self._presence.epoch
        await self._presence.beat()
        if before == self._presence.epoch:
            self._store.lost(Lost.FLUSHED, epoch=f"{before}-again")
