"""Fills the mirror from Redis, a portion at a time, while the replica serves already."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from typing import cast

from redis.asyncio import Redis

from binder_federation.federation.locality.buckets import Bucket, FactKey
from binder_federation.federation.locality.mirror import (
    IMAGE_LIFETIME_DAYS,
    REBUILD_MEMORY_DAYS,
    Mirror,
)
from binder_federation.federation.locality.packed_table import SHARDS
from binder_federation.federation.locality.packing import day_of
from binder_federation.federation.locality.touched import Touched
from binder_federation.federation.shared.connection import RedisConnection
from binder_federation.federation.shared.keys import BUCKET_BITS

BUCKETS_AT_ONCE = 100
"""About 1,000 facts at 3 members: a few milliseconds between two looks at other work."""
_NAMES_AT_ONCE = 1000
_SHARD_SHIFT = BUCKET_BITS - 8


class MirrorLoader:
    """Reads every fact in Redis into the mirror."""

    def __init__(
        self,
        *,
        connection: RedisConnection,
        mirror: Mirror,
        touched: Touched,
        waiting: Callable[[], Iterable[FactKey]],
        on_stale: Callable[[bytes, str], None],
    ) -> None:
        """`waiting` are facts that Redis does not have yet as they are; `on_stale` is told of
        those that Redis should no longer have."""
        self._connection = connection
        self._mirror = mirror
        self._touched = touched
        self._waiting = waiting
        self._on_stale = on_stale

    async def load(self, *, today: int, is_whole_truth: bool) -> None:
        """Read all. With `is_whole_truth`, what Redis does not have is dropped here.

        What is on its way to Redis, or changes meanwhile, stays. Raises `RedisUnavailable`; it
        may be begun anew.
        """
        self._touched.begin(self._waiting())
        for is_of_images in (True, False):
            shards = await self._bucket_numbers(is_of_images)
            for number, bucket_numbers in enumerate(shards):
                buckets = [Bucket(each, is_of_images) for each in bucket_numbers]
                await self._load_shard(number, buckets, today, is_of_images, is_whole_truth)
        self._touched.end()

    async def _load_shard(
        self, number: int, buckets: list[Bucket], today: int, is_of_images: bool, is_whole: bool
    ) -> None:
        present: set[tuple[bytes, str]] | None = set() if is_whole else None
        rest = iter(buckets)
        while portion := list(islice(rest, BUCKETS_AT_ONCE)):
            contents = await self._connection.call_in_background(
                "load", partial(self._read, buckets=portion)
            )
            for bucket, content in zip(portion, contents, strict=True):
                self._take(bucket, content, today, present)
        if present is not None:
            self._drop_others(number, is_of_images, present)
            await asyncio.sleep(0)

    def _take(
        self,
        bucket: Bucket,
        content: dict[bytes, bytes],
        today: int,
        present: set[tuple[bytes, str]] | None,
    ) -> None:
        lifetime_days = IMAGE_LIFETIME_DAYS if bucket.is_of_images else REBUILD_MEMORY_DAYS
        put: Callable[[bytes, str, int], object]
        put = self._mirror.put if bucket.is_of_images else self._mirror.put_built
        for key, member, value in bucket.facts(content):
            if today - day_of(value) > lifetime_days:
                self._on_stale(key, member)
                continue
            if present is not None:
                present.add((key, member))
            if not self._touched.is_newer(key, member):
                put(key, member, value)
            elif bucket.is_of_images and not self._mirror.fact(key, member):
                self._on_stale(key, member)  # its whole inventory came before we knew of this

    def _drop_others(
        self, number: int, is_of_images: bool, present: set[tuple[bytes, str]]
    ) -> None:
        table = self._mirror.images if is_of_images else self._mirror.built
        drop: Callable[[bytes, str], object]
        drop = self._mirror.drop if is_of_images else self._mirror.drop_built
        for key, row in tuple(table.shard(number).items()):
            for member_number, _ in table.entries(row):
                member = self._mirror.name(member_number)
                if (key, member) not in present and not self._touched.is_newer(key, member):
                    drop(key, member)

    async def _bucket_numbers(self, is_of_images: bool) -> list[set[int]]:
        """The buckets that there are, by the mirror's shards. SCAN may name one twice."""
        keys = self._connection.keys
        pattern = keys.image_buckets if is_of_images else keys.built_buckets
        shards: list[set[int]] = [set() for _ in range(SHARDS)]
        cursor = 0
        while True:
            cursor, names = await self._connection.call_in_background(
                "load", partial(self._scan, cursor=cursor, pattern=pattern)
            )
            for name in names:
                number = self._connection.decoded("load", partial(keys.bucket_of, name))
                if number is not None and 0 <= number >> _SHARD_SHIFT < SHARDS:
                    shards[number >> _SHARD_SHIFT].add(number)
            if not cursor:
                return shards

    async def _scan(self, client: "Redis", cursor: int, pattern: str) -> tuple[int, list[bytes]]:
        following, names = await client.scan(cursor, match=pattern, count=_NAMES_AT_ONCE)
        return int(following), cast(list[bytes], names)

    async def _read(self, client: "Redis", buckets: list[Bucket]) -> list[dict[bytes, bytes]]:
        pipeline = client.pipeline(transaction=False)
        for bucket in buckets:
            pipeline.hgetall(bucket.name(self._connection.keys))
        answers = await self._connection.execute("load", pipeline)
        return [answer or {} for answer in answers]
