"""Changes the mirror by what members say, and notes what others must be told of.

A launch tells of its image each time; what is known already, seen on the same day, is
no change.
"""

import asyncio
from collections.abc import Callable

from binder_federation.binder.messages import ImageRecord, Tier
from binder_federation.federation.locality.fact_news import Changes
from binder_federation.federation.locality.mirror import (
    IMAGE_LIFETIME_DAYS,
    REBUILD_MEMORY_DAYS,
    Mirror,
)
from binder_federation.federation.locality.packed_table import SHARDS
from binder_federation.federation.locality.packing import (
    day_at,
    day_of,
    pack_fact,
    pack_repository,
    with_known_size,
    without_day,
)
from binder_federation.federation.locality.touched import Touched

MOST_IMAGES_PER_MEMBER = 2_000_000
"""What a member tells beyond it is not remembered, so that one cannot fill our memory."""


class MirrorWriter:
    """Puts facts into the mirror; `changed` is told of each that is another one now."""

    def __init__(
        self,
        *,
        mirror: Mirror,
        changed: Callable[[bytes, str], None],
        touched: Touched,
        most_images_per_member: int = MOST_IMAGES_PER_MEMBER,
    ) -> None:
        self._mirror = mirror
        self._changed = changed
        self._touched = touched
        self._most_images = most_images_per_member

    def put(
        self, member: str, record: ImageRecord, *, now: float, is_unwritten: bool = False
    ) -> bytes:
        """The member holds the image; returns its key. With `is_unwritten` it is written
        although nothing changed."""
        key, today = bytes.fromhex(record.key), day_at(now)
        before = self._mirror.fact(key, member)
        if today - day_of(before) > IMAGE_LIFETIME_DAYS:
            before = self._mirror.drop(key, member) and 0
        fact = with_known_size(pack_fact(record.tier, record.size_bytes, today), before)
        if not before:
            if self._mirror.image_count(member) >= self._most_images:
                return key
            if record.tier is Tier.NODE:  # what is in a registry may have been built elsewhere
                self._put_built(member, record.repository, today)
        elif is_unwritten:
            self._put_built_again(member, record.repository)
        is_same = without_day(before) == without_day(fact) and day_of(before) >= today
        if not is_same or is_unwritten:
            self._mirror.put(key, member, fact)
            self._touch(key, member)
        return key

    def drop(self, member: str, key: bytes) -> None:
        """The member does not hold the image."""
        if self._mirror.drop(key, member):
            self._touch(key, member)
        else:  # a load under way may still bring it
            self._touched.fact(key, member)

    def learn(self, changes: Changes, *, is_newer: Callable[[bytes, str], bool]) -> None:
        """Another replica tells of these facts; those for which ours are newer stay."""
        member = changes.member
        for key, fact in changes.images.items():
            if is_newer(key, member):
                continue
            if fact:
                self._mirror.put(key, member, fact)
            else:
                self._mirror.drop(key, member)
            self._touched.fact(key, member)
        for repository, day in changes.built.items():
            if day:
                self._mirror.put_built(repository, member, day)
            else:
                self._mirror.drop_built(repository, member)
            self._touched.fact(repository, member)

    async def forget_built(self, member: str) -> None:
        """The member has built nothing."""
        number = self._mirror.number(member)
        for shard in range(SHARDS):
            for repository in tuple(self._mirror.built.shard(shard)):
                if self._mirror.built.get(repository, number):
                    self._mirror.drop_built(repository, member)
                    self._touch(repository, member)
            await asyncio.sleep(0)

    async def drop_old(self, *, today: int) -> None:
        """Drop what was not seen for too long, here and in Redis."""
        for shard in range(SHARDS):
            for key, row in tuple(self._mirror.images.shard(shard).items()):
                for number, fact in self._mirror.images.entries(row):
                    if today - day_of(fact) > IMAGE_LIFETIME_DAYS:
                        self.drop(self._mirror.name(number), key)
            for repository, row in tuple(self._mirror.built.shard(shard).items()):
                for number, day in self._mirror.built.entries(row):
                    if today - day > REBUILD_MEMORY_DAYS:
                        self._mirror.drop_built(repository, self._mirror.name(number))
                        self._touch(repository, self._mirror.name(number))
            await asyncio.sleep(0)

    def _put_built(self, member: str, affinity_key: str, today: int) -> None:
        repository = pack_repository(affinity_key)
        if self._mirror.built_day(repository, member) != today:
            self._mirror.put_built(repository, member, today)
            self._touch(repository, member)

    def _put_built_again(self, member: str, affinity_key: str) -> None:
        repository = pack_repository(affinity_key)
        if self._mirror.built_day(repository, member):
            self._touch(repository, member)

    def _touch(self, key: bytes, member: str) -> None:
        self._touched.fact(key, member)
        self._changed(key, member)
