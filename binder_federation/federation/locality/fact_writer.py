"""Brings facts that changed here to Redis, and the news of them to the other replicas.

What waits is only which facts changed; what is written is what the mirror holds at that
moment. So nothing is out of date or twice, however long Redis was away.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from redis.asyncio import Redis

from binder_federation.federation.locality.buckets import FactKey, write_facts
from binder_federation.federation.locality.fact_news import (
    IMAGE_KEY_BYTES,
    Changes,
    FactNews,
    Written,
    encode,
)
from binder_federation.federation.locality.mirror import Mirror
from binder_federation.federation.shared.bus import Bus, Topic
from binder_federation.federation.shared.connection import RedisConnection
from binder_federation.federation.shared.outbox import Outbox
from binder_federation.runtime.tasks import BackgroundTasks

MOST_WAITING = 300_000
WRITES_AT_ONCE = 500
LINGER_SECONDS = 0.02


class FactWriter:
    """Writes changed facts. `on_overflow` is told when there were too many to remember."""

    def __init__(
        self,
        *,
        connection: RedisConnection,
        bus: Bus,
        mirror: Mirror,
        on_overflow: Callable[[], None],
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._connection = connection
        self._bus = bus
        self._mirror = mirror
        self._written_members: set[str] = set()
        self._outbox: Outbox[FactKey, None] = Outbox(
            connection=connection,
            send=self._send,
            keep=lambda _: True,
            on_overflow=on_overflow,
            most_items=most_waiting,
            most_at_once=WRITES_AT_ONCE,
            linger_seconds=LINGER_SECONDS,
        )

    def start(self, tasks: BackgroundTasks) -> None:
        """Begin to write."""
        tasks.start(self._outbox.run(), name="redis fact outbox")

    def changed(self, key: bytes, member: str) -> None:
        """The fact is another one now."""
        self._outbox.put((key, member), None)

    def is_waiting(self, key: bytes, member: str) -> bool:
        """Whether Redis does not have the fact as it is now."""
        return (key, member) in self._outbox

    def waiting(self) -> Iterable[FactKey]:
        """All such facts."""
        return self._outbox.keys()

    def whole_inventory_waits(self, member: str) -> None:
        """Tell the others when all that waits now is written: that member was asked enough."""
        self._written_members.add(member)

    async def settle(self, *, within_seconds: float) -> bool:
        """Wait until all is written; whether it was in time."""
        return await self._outbox.settle(within_seconds=within_seconds)

    async def _send(self, batch: Mapping[FactKey, None]) -> None:
        facts = {(key, member): self._value(key, member) for key, member in batch}
        await self._connection.call_in_background(
            "facts", lambda client: self._write(client, facts)
        )
        for news in _changes(facts):
            self._tell(news)
        if not len(self._outbox):
            for member in self._written_members:
                self._tell(Written(member))
            self._written_members = set()

    async def _write(self, client: "Redis", facts: Mapping[FactKey, int]) -> None:
        pipeline = client.pipeline(transaction=False)
        write_facts(pipeline, self._connection.keys, facts.items())
        await self._connection.execute("facts", pipeline)

    def _value(self, key: bytes, member: str) -> int:
        if len(key) == IMAGE_KEY_BYTES:
            return self._mirror.fact(key, member)
        return self._mirror.built_day(key, member)

    def _tell(self, news: FactNews) -> None:
        self._bus.publish(Topic.FACTS, encode(news))


def _changes(facts: Mapping[FactKey, int]) -> Iterable[Changes]:
    """News of the facts, by member."""
    images: defaultdict[str, dict[bytes, int]] = defaultdict(dict)
    built: defaultdict[str, dict[bytes, int]] = defaultdict(dict)
    for (key, member), value in facts.items():
        (images if len(key) == IMAGE_KEY_BYTES else built)[member][key] = value
    return [Changes(name, images[name], built[name]) for name in sorted({*images, *built})]
