"""Keys that are set in the background; of several values of a key only the last is sent."""

from collections.abc import Mapping
from dataclasses import dataclass

from redis.asyncio import Redis

from binder_federation.federation.shared.connection import RedisConnection
from binder_federation.federation.shared.outbox import Outbox
from binder_federation.runtime.tasks import BackgroundTasks

LINGER_SECONDS = 0.1
"""These keys are for replicas that start, and for questions asked again in a minute."""


@dataclass(frozen=True, slots=True)
class _Value:
    body: bytes
    lifetime_seconds: int


class StateOutbox:
    """Sets keys, soon. What Redis does not take is dropped: it is told again."""

    def __init__(self, *, connection: RedisConnection) -> None:
        self._connection = connection
        self._outbox: Outbox[str, _Value] = Outbox(
            connection=connection,
            send=self._send,
            keep=lambda _: False,
            linger_seconds=LINGER_SECONDS,
        )

    def set(self, name: str, body: bytes, *, lifetime_seconds: int) -> None:
        """Have the key hold `body`."""
        self._outbox.put(name, _Value(body, lifetime_seconds))

    def start(self, tasks: BackgroundTasks) -> None:
        """Begin to send."""
        tasks.start(self._outbox.run(), name="redis state outbox")

    async def settle(self, *, within_seconds: float) -> bool:
        """Wait until all is sent; whether it was in time."""
        return await self._outbox.settle(within_seconds=within_seconds)

    async def _send(self, batch: Mapping[str, _Value]) -> None:
        await self._connection.call_in_background(
            "state", lambda client: self._write(client, batch)
        )

    async def _write(self, client: "Redis", batch: Mapping[str, _Value]) -> None:
        pipeline = client.pipeline(transaction=False)
        for name, value in batch.items():
            pipeline.set(name, value.body, ex=value.lifetime_seconds)
        await self._connection.execute("state", pipeline)
