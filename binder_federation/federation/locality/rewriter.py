"""Writes the mirror back to a Redis that has lost what it held, or missed what we wrote.

The work is cut into shards, and replicas that do the same work share them: each claims
a shard before it writes it.
"""

import random
from collections.abc import Iterator
from functools import partial
from itertools import islice

from redis.asyncio import Redis

from binder_federation.federation.locality.buckets import FactKey, write_facts
from binder_federation.federation.locality.mirror import Mirror
from binder_federation.federation.locality.packed_table import SHARDS, PackedTable
from binder_federation.federation.locality.packing import bucket_of
from binder_federation.federation.shared.connection import RedisConnection
from binder_federation.federation.shared.keys import CLAIM_LIFETIME_SECONDS

FACTS_AT_ONCE = 1500


class Rewriter:
    """Writes every fact of the mirror to Redis."""

    def __init__(self, *, connection: RedisConnection, mirror: Mirror) -> None:
        self._connection = connection
        self._mirror = mirror

    async def write_all(self, *, work: str) -> None:
        """Write all shards that no other replica does. `work` names what is being done: the
        same for all replicas that see the same loss. Raises `RedisUnavailable`."""
        for number in random.sample(range(SHARDS), SHARDS):  # replicas begin at different ones
            if self._is_empty(number) or not await self._claim(f"{work}:{number}"):
                continue
            facts = self._facts(number)
            while portion := list(islice(facts, FACTS_AT_ONCE)):
                await self._connection.call_in_background(
                    "rewrite", partial(self._write, facts=portion)
                )

    async def _claim(self, name: str) -> bool:
        replica_id, keys = self._connection.replica_id, self._connection.keys
        holder = await self._connection.call_in_background(
            "rewrite",
            lambda client: client.set(
                keys.claim(name), replica_id, nx=True, get=True, ex=CLAIM_LIFETIME_SECONDS
            ),
        )
        return holder is None or holder == replica_id.encode()

    def _is_empty(self, number: int) -> bool:
        return not self._mirror.images.shard(number) and not self._mirror.built.shard(number)

    def _facts(self, number: int) -> Iterator[tuple[FactKey, int]]:
        """The shard's facts, those of a bucket next to each other, so that they go at once."""
        for table in (self._mirror.images, self._mirror.built):
            for key in sorted(table.shard(number), key=bucket_of):
                yield from self._row(table, key)

    def _row(self, table: PackedTable, key: bytes) -> Iterator[tuple[FactKey, int]]:
        for member_number, value in table.entries(table.row(key)):
            yield (key, self._mirror.name(member_number)), value

    async def _write(self, client: "Redis", facts: list[tuple[FactKey, int]]) -> None:
        pipeline = client.pipeline(transaction=False)
        write_facts(pipeline, self._connection.keys, facts)
        await self._connection.execute("facts", pipeline)
