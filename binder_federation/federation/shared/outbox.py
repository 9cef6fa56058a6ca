"""Writes that nobody waits for: gathered for a moment, sent in batches, bounded.

An item has a key, and a newer one with the same key takes its place. While Redis is
not usable, items wait; when there are too many, the oldest go. After a batch that
failed, those that are still worth something are sent again, in their order: whether
Redis took them is not known, so they must do no harm when they come twice.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Generic, TypeVar

from binder_federation.federation.shared.connection import RedisConnection, RedisUnavailable

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

PAUSE_AFTER_FAILURE_SECONDS = 0.25


class Outbox(Generic[K, V]):
    """Items by key on their way to Redis. `run` is its background task.

    `send` may raise `RedisUnavailable`; `keep` says which items of such a batch stay;
    `on_overflow` is told that items were dropped because there were too many. A batch waits
    `linger_seconds` for more: a round trip costs more than an item.
    """

    def __init__(
        self,
        *,
        connection: RedisConnection,
        send: Callable[[Mapping[K, V]], Awaitable[None]],
        keep: Callable[[V], bool],
        on_overflow: Callable[[], None] = lambda: None,
        most_items: int = 20_000,
        most_at_once: int = 500,
        linger_seconds: float = 0.01,
    ) -> None:
        self._connection = connection
        self._send = send
        self._keep = keep
        self._on_overflow = on_overflow
        self._most_items = most_items
        self._most_at_once = most_at_once
        self._linger_seconds = linger_seconds
        self._items: OrderedDict[K, V] = OrderedDict()
        self._in_flight: Mapping[K, V] = {}
        self._filled = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()

    def put(self, key: K, value: V) -> None:
        """Send `value`, soon."""
        self._items[key] = value
        if len(self._items) > self._most_items:
            self._items.popitem(last=False)
            self._connection.metrics.outbox_dropped.inc()
            self._on_overflow()
        self._filled.set()
        self._settled.clear()

    def __contains__(self, key: K) -> bool:
        """Whether an item with this key has not arrived yet."""
        return key in self._items or key in self._in_flight

    def __len__(self) -> int:
        """How many items wait."""
        return len(self._items)

    def keys(self) -> list[K]:
        """The keys of the items that have not arrived yet."""
        return [*self._items, *self._in_flight]

    async def run(self) -> None:
        """Send what comes, for ever."""
        while True:
            await self._filled.wait()
            await asyncio.sleep(self._linger_seconds)
            await self._connection.wait_until_usable()
            try:
                await self._send_batch()
            except RedisUnavailable:
                await asyncio.sleep(PAUSE_AFTER_FAILURE_SECONDS)

    async def settle(self, *, within_seconds: float) -> bool:
        """Wait until all has arrived; whether it has in time."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), within_seconds)
        return self._settled.is_set()

    async def _send_batch(self) -> None:
        count = min(self._most_at_once, len(self._items))
        batch = dict(self._items.popitem(last=False) for _ in range(count))
        self._in_flight = batch
        try:
            await self._send(batch)
        except RedisUnavailable:
            self._take_back(batch)
            raise
        finally:
            self._in_flight = {}
            self._mark()

    def _take_back(self, batch: dict[K, V]) -> None:
        for key, value in reversed(batch.items()):
            if key in self._items:
                continue  # a newer one has its place
            if self._keep(value):
                self._items[key] = value
                self._items.move_to_end(key, last=False)
            else:
                self._connection.metrics.outbox_dropped.inc()

    def _mark(self) -> None:
        if not self._items:
            self._filled.clear()
            self._settled.set()
