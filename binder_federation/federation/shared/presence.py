"""Who lives, and whether Redis is still the one that we knew.

Each replica keeps a key alive. With each heartbeat it also looks at the epoch, a random
value that the first replica to miss it sets: another one means that Redis was flushed.
Heartbeats do not pass the breaker: a slow Redis must not make a living replica look dead.
"""

import asyncio
import re
import secrets
import time
from collections.abc import Callable
from typing import Protocol

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from binder_federation.federation.shared.connection import (
    RedisConnection,
    RedisUnavailable,
    make_client,
)
from binder_federation.federation.shared.keys import (
    EPOCH_LIFETIME_SECONDS,
    REPLICA_LIFETIME_SECONDS,
)
from binder_federation.runtime.tasks import BackgroundTasks

log = structlog.get_logger(__name__)

BEAT_EVERY_SECONDS = 1.5
BEAT_DEADLINE_SECONDS = 4.0
_EPOCH = re.compile(rb"[0-9a-f]{16}")
GRACE_SECONDS = 2 * REPLICA_LIFETIME_SECONDS
"""After an outage the others need this long to show that they live."""


class Presence(Protocol):
    """Who lives."""

    async def is_alive(self, replica_id: str) -> bool:
        """Whether that replica lives. True when it cannot be told: its launches are its own."""


class LocalPresence:
    """One replica alone: another one is a former life of this one."""

    def __init__(self) -> None:
        self.replica_id = secrets.token_hex(8)

    async def is_alive(self, replica_id: str) -> bool:
        """Whether it is this one."""
        return replica_id == self.replica_id


class RedisPresence:
    """This replica's heartbeat, and the others'. `on_flushed` is told the new epoch."""

    def __init__(
        self,
        *,
        connection: RedisConnection,
        on_flushed: Callable[[str], None],
        grace_seconds: float = GRACE_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._grace_seconds = grace_seconds
        self._on_flushed = on_flushed
        self._monotonic = monotonic
        self._client = make_client(connection.settings, most_connections=1)
        self._epoch = b""
        self._failed_at: float | None = None

    @property
    def epoch(self) -> str:
        """Names this life of Redis; empty before the first heartbeat."""
        return self._epoch.decode()

    def start(self, tasks: BackgroundTasks) -> None:
        """Begin to beat."""
        tasks.run_periodically(self.beat, every_seconds=BEAT_EVERY_SECONDS, name="redis heartbeat")

    async def beat(self) -> None:
        """Say that this replica lives, and look whether Redis was flushed."""
        try:
            async with asyncio.timeout(BEAT_DEADLINE_SECONDS):
                epoch = await self._beat()
        except (RedisError, OSError) as error:
            if self._failed_at is None:
                log.warning("redis_heartbeat_missed", reason=repr(error)[:200])
            self._failed_at = self._monotonic()
            return
        before, self._epoch = self._epoch, epoch
        if before and before != epoch:
            self._failed_at = self._monotonic()  # everybody's key is gone
            self._on_flushed(self.epoch)

    async def is_alive(self, replica_id: str) -> bool:
        """Whether that replica lives. True when it cannot be told: its launches are its own.

        Waits 25 ms at most.
        """
        if replica_id == self._connection.replica_id or self._is_in_grace() or not self._epoch:
            return True
        try:
            return await self._connection.call(
                "alive", lambda client: self._look(client, replica_id)
            )
        except RedisUnavailable:
            return True

    async def aclose(self) -> None:
        """Say that this replica is gone, if Redis hears it soon."""
        try:
            async with asyncio.timeout(0.25):
                await self._client.delete(
                    self._connection.keys.replica(self._connection.replica_id)
                )
        except (RedisError, OSError):
            pass  # the key ends by itself
        await self._client.aclose()

    async def _beat(self) -> bytes:
        keys = self._connection.keys
        pipeline = self._client.pipeline(transaction=False)
        pipeline.set(
            keys.replica(self._connection.replica_id),
            b"1",
            px=int(REPLICA_LIFETIME_SECONDS * 1000),
        )
        pipeline.set(keys.epoch, secrets.token_hex(8), nx=True, ex=EPOCH_LIFETIME_SECONDS)
        pipeline.get(keys.epoch)
        *_, epoch = await self._connection.execute("epoch", pipeline)
        if not isinstance(epoch, bytes) or not _EPOCH.fullmatch(epoch):
            # Something else stands there. Whoever notices writes a new one, as after a flush.
            epoch = secrets.token_hex(8).encode()
            await self._client.set(keys.epoch, epoch, ex=EPOCH_LIFETIME_SECONDS)
        return epoch

    async def _look(self, client: "Redis", replica_id: str) -> bool:
        pipeline = client.pipeline(transaction=False)
        pipeline.exists(self._connection.keys.replica(replica_id))
        pipeline.get(self._connection.keys.epoch)
        pipeline.pttl(self._connection.keys.epoch)
        pipeline.info("server")
        answers = await self._connection.execute("alive", pipeline)
        count, epoch, left_milliseconds, server = answers
        epoch_seconds = EPOCH_LIFETIME_SECONDS - left_milliseconds / 1000
        age_seconds = min(epoch_seconds, server["uptime_in_seconds"])
        is_new = epoch != self._epoch or age_seconds < self._grace_seconds
        return bool(count) or is_new  # a new Redis has not heard everybody yet

    def _is_in_grace(self) -> bool:
        return self._failed_at is not None and (
            self._monotonic() - self._failed_at < self._grace_seconds
        )
