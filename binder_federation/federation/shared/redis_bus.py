"""The bus of several replicas: two streams in Redis that each writes and each reads."""

import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis

from binder_federation.federation.shared.bus import Listener, Topic
from binder_federation.federation.shared.connection import UNREADABLE, RedisConnection
from binder_federation.federation.shared.keys import (
    FACTS_ENTRIES,
    FACTS_KEPT_SECONDS,
    NEWS_ENTRIES,
)
from binder_federation.federation.shared.news import (
    FIELD,
    SOON_TOLD_AGAIN,
    entries,
    messages_of,
    sender_of,
)
from binder_federation.federation.shared.outbox import Outbox
from binder_federation.federation.shared.position import Lost
from binder_federation.federation.shared.tail import StreamTail
from binder_federation.runtime.tasks import BackgroundTasks

log = structlog.get_logger(__name__)

STALE_SECONDS = 5.0
"""Decisions, reports and votes that could not be sent for so long tell nobody anything."""
TRIM_EVERY_SECONDS = 60.0

_LASTING = frozenset({Topic.FACTS, Topic.LEASE})


@dataclass(frozen=True, slots=True)
class _Message:
    topic: Topic
    body: bytes
    published_at: float

    @property
    def is_lasting(self) -> bool:
        """Whether it is true until the contrary is told."""
        return self.topic in _LASTING


class RedisBus:
    """A `Bus` through Redis. `start` begins its tasks; `on_lost` tells of gaps in the facts."""

    def __init__(
        self, *, connection: RedisConnection, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._connection = connection
        self._monotonic = monotonic
        self._listeners: defaultdict[Topic, list[Listener]] = defaultdict(list)
        self._lost_listeners: list[Callable[[Lost], None]] = []
        self._numbers = itertools.count()
        self._trim_at = 0.0
        self._outbox: Outbox[int, _Message] = Outbox(
            connection=connection, send=self._send, keep=lambda message: message.is_lasting
        )
        self.tail = StreamTail(connection=connection, on_entry=self._hear, on_lost=self.tell_lost)

    def publish(self, topic: Topic, body: bytes) -> None:
        """Tell the other replicas, soon."""
        self._outbox.put(next(self._numbers), _Message(topic, body, self._monotonic()))

    def subscribe(self, topic: Topic, listener: Listener) -> None:
        """Hear what other replicas tell; one's own messages do not come back."""
        self._listeners[topic].append(listener)

    def on_lost(self, listener: Callable[[Lost], None]) -> None:
        """Have `listener` told when facts may have been missed, or Redis has lost its own."""
        self._lost_listeners.append(listener)

    def tell_lost(self, why: Lost) -> None:
        """Something was missed."""
        log.warning("redis_lost", why=why.value)
        self._connection.metrics.lost.labels(why.value).inc()
        for listener in self._lost_listeners:
            listener(why)

    def start(self, tasks: BackgroundTasks) -> None:
        """Begin to send and to read."""
        tasks.start(self._outbox.run(), name="redis bus outbox")
        tasks.start(self.tail.run(), name="redis bus tail")

    async def settle(self, *, within_seconds: float) -> bool:
        """Wait until all that was published is written; whether it was in time."""
        return await self._outbox.settle(within_seconds=within_seconds)

    async def aclose(self) -> None:
        """Close the tail's connection."""
        await self.tail.aclose()

    async def _send(self, batch: Mapping[int, _Message]) -> None:
        now = self._monotonic()
        fresh = [m for m in batch.values() if m.is_lasting or now - m.published_at < STALE_SECONDS]
        await self._connection.call_in_background("bus", lambda client: self._write(client, fresh))

    async def _write(self, client: "Redis", messages: list[_Message]) -> None:
        keys, pipeline = self._connection.keys, client.pipeline(transaction=False)
        for stream, most, is_short in (
            (keys.facts, FACTS_ENTRIES, False),
            (keys.news, NEWS_ENTRIES, True),
        ):
            told = [(m.topic, m.body) for m in messages if (m.topic in SOON_TOLD_AGAIN) is is_short]
            for entry in entries(self._connection.replica_id, told):
                pipeline.xadd(stream, {FIELD: entry}, maxlen=most, approximate=True)
        if self._monotonic() >= self._trim_at:  # entries differ in size, so age bounds them too
            self._trim_at = self._monotonic() + TRIM_EVERY_SECONDS
            oldest = int((time.time() - FACTS_KEPT_SECONDS) * 1000)
            pipeline.xtrim(keys.facts, minid=f"{oldest}-0", approximate=True)
        await self._connection.execute("bus", pipeline)

    def _hear(self, entry: bytes) -> None:
        if sender_of(entry) == self._connection.replica_id:
            return
        messages = self._connection.decoded("news", lambda: list(messages_of(entry)))
        for topic, body in messages or ():
            for listener in self._listeners.get(topic, ()):
                self._tell(listener, topic, body)

    def _tell(self, listener: Listener, topic: Topic, body: bytes) -> None:
        try:
            listener(body)
        except UNREADABLE as error:
            self._connection.note_unreadable(f"news_{topic.value}", error)
        except Exception:
            # A mistake of ours: the next message may be well again.
            log.exception("redis_news_not_understood")
