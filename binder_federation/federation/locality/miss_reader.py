"""Asks Redis for an image of which the mirror knows nothing: once, in one round trip.

A build of minutes may follow, so 25 ms are well spent; but not again and again when a
crowd comes for something new.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial

from redis.asyncio import Redis

from binder_federation.federation.locality.buckets import bucket_for
from binder_federation.federation.locality.mirror import Mirror
from binder_federation.federation.locality.redis_leases import RedisLeases
from binder_federation.federation.shared.connection import RedisConnection, RedisUnavailable
from binder_federation.runtime.tasks import BackgroundTasks

BELIEVED_SECONDS = 1.0
MOST_REMEMBERED = 10_000


class MissReader:
    """Reads single images into the mirror. `is_newer` says which facts not to overwrite."""

    def __init__(
        self,
        *,
        connection: RedisConnection,
        mirror: Mirror,
        leases: RedisLeases,
        is_newer: Callable[[bytes, str], bool],
        tasks: BackgroundTasks,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._mirror = mirror
        self._leases = leases
        self._is_newer = is_newer
        self._tasks = tasks
        self._monotonic = monotonic
        self._asking: dict[bytes, asyncio.Task[bool]] = {}
        self._asked_at: dict[bytes, float] = {}

    async def look(self, image_key: str, key: bytes, repository: bytes) -> bool:
        """Read what Redis has of the image and the repository; whether there was an answer."""
        if self._connection.is_open or self._was_asked(key):
            return False
        # No await between looking for a question under way and putting one there.
        task = self._asking.get(key)
        if task is None:
            task = self._tasks.start(self._ask(image_key, key, repository), name="redis miss")
            self._asking[key] = task
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(task)

    def _was_asked(self, key: bytes) -> bool:
        return self._monotonic() - self._asked_at.get(key, float("-inf")) < BELIEVED_SECONDS

    async def _ask(self, image_key: str, key: bytes, repository: bytes) -> bool:
        try:
            images, built, lease = await self._connection.call(
                "miss", partial(self._read, image_key=image_key, key=key, repository=repository)
            )
        except RedisUnavailable:
            return False
        if len(self._asked_at) >= MOST_REMEMBERED:
            self._asked_at.clear()
        self._asked_at[key] = self._monotonic()
        self._take(key, images)
        self._take(repository, built)
        if lease is not None:
            self._leases.learn(image_key, lease)
        return True

    async def _read(
        self, client: "Redis", image_key: str, key: bytes, repository: bytes
    ) -> tuple[dict[bytes, bytes], dict[bytes, bytes], bytes | None]:
        keys = self._connection.keys
        pipeline = client.pipeline(transaction=False)
        pipeline.hgetall(bucket_for(key).name(keys))
        pipeline.hgetall(bucket_for(repository).name(keys))
        pipeline.get(keys.lease(image_key))
        images, built, lease = await self._connection.execute("miss", pipeline)
        return images or {}, built or {}, lease

    def _take(self, wanted: bytes, content: dict[bytes, bytes]) -> None:
        bucket = bucket_for(wanted)
        for key, member, value in bucket.facts(content):
            if key != wanted or self._is_newer(key, member):
                continue
            if bucket.is_of_images:
                self._mirror.put(key, member, value)
            else:
                self._mirror.put_built(key, member, value)
