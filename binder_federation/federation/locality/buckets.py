"""Facts in Redis: reading and writing buckets, for whoever has a client.

A bucket is a small hash that Redis keeps packed: the field is the rest of a key and the
member's name, the value a fact (images) or a day (repositories).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from redis.asyncio.client import Pipeline

from binder_federation.federation.locality.fact_news import (
    IMAGE_KEY_BYTES,
    REPOSITORY_KEY_BYTES,
)
from binder_federation.federation.locality.packing import (
    DAY,
    FACT,
    HEAD_BYTES,
    bucket_of,
    field_of,
    key_head,
)
from binder_federation.federation.shared.keys import (
    BUILT_LIFETIME_SECONDS,
    IMAGE_LIFETIME_SECONDS,
    Keys,
)

FactKey = tuple[bytes, str]
"""The key of an image (16 bytes) or a repository (8), and a member."""


MOST_NAME = 100


@dataclass(frozen=True, slots=True)
class Bucket:
    """One hash: of images, or of repositories."""

    number: int
    is_of_images: bool

    def name(self, keys: Keys) -> str:
        """Its key name."""
        return (
            keys.image_bucket(self.number) if self.is_of_images else keys.built_bucket(self.number)
        )

    def facts(self, content: Mapping[bytes, bytes]) -> Iterator[tuple[bytes, str, int]]:
        """Key, member and value of each of its fields; those of another form are left out."""
        rest = (IMAGE_KEY_BYTES if self.is_of_images else REPOSITORY_KEY_BYTES) - HEAD_BYTES
        value_bytes = FACT.size if self.is_of_images else DAY.size
        head = key_head(self.number)
        for field, value in content.items():
            member = field[rest:].decode("utf-8", "replace")
            is_name = member.isprintable() and len(member) <= MOST_NAME
            if len(value) == value_bytes and member and is_name:
                yield head + field[:rest], member, int.from_bytes(value, "big")


def bucket_for(key: bytes) -> Bucket:
    """The bucket of an image's or a repository's key."""
    return Bucket(bucket_of(key), len(key) == IMAGE_KEY_BYTES)


def write_facts(pipeline: Pipeline, keys: Keys, facts: Iterable[tuple[FactKey, int]]) -> None:
    """Add the commands that set each fact to its value, or take it out when that is 0."""
    changed: dict[Bucket, dict[bytes, bytes]] = {}
    gone: dict[Bucket, list[bytes]] = {}
    for (key, member), value in facts:
        bucket = bucket_for(key)
        if value:
            form = FACT if bucket.is_of_images else DAY
            changed.setdefault(bucket, {})[field_of(key, member)] = form.pack(value)
        else:
            gone.setdefault(bucket, []).append(field_of(key, member))
    for bucket, fields in changed.items():
        lifetime = IMAGE_LIFETIME_SECONDS if bucket.is_of_images else BUILT_LIFETIME_SECONDS
        name = bucket.name(keys)
        pipeline.hset(name, mapping=fields)  # type: ignore[arg-type]  # bytes are fine
        pipeline.expire(name, lifetime)
    for bucket, names in gone.items():
        pipeline.hdel(bucket.name(keys), *names)
