"""Every fact of the federation in this process, so that a decision needs no round trip.

Nothing here waits or knows Redis: `redis.py` keeps the mirror true. Members are numbered
in the order in which they are met.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType

from binder_federation.federation.locality.contract import (
    DAY_SECONDS,
    IMAGE_LIFETIME_SECONDS,
    REBUILD_MEMORY_SECONDS,
    Held,
)
from binder_federation.federation.locality.packed_table import PackedTable
from binder_federation.federation.locality.packing import day_of, unpack_fact

IMAGE_LIFETIME_DAYS = int(IMAGE_LIFETIME_SECONDS / DAY_SECONDS)
REBUILD_MEMORY_DAYS = int(REBUILD_MEMORY_SECONDS / DAY_SECONDS)

_MEMBER_SHARDS = 16
_DECODED_ROWS = 8192


class Mirror:
    """Facts as integers (`packing.py`) by image key and member, and who built what when."""

    def __init__(self) -> None:
        self.images = PackedTable(4)
        self.built = PackedTable(2)
        self._names: list[str] = []
        self._numbers: dict[str, int] = {}
        self._keys: list[list[dict[bytes, None]]] = []
        # Most lookups are of few images: their rows are read once.
        self._holders = lru_cache(maxsize=_DECODED_ROWS)(self._decode_holders)
        self._builders = lru_cache(maxsize=_DECODED_ROWS)(self._decode_builders)

    def holders(self, key: bytes, *, today: int) -> Mapping[str, Held]:
        """Who holds the image."""
        return self._holders(self.images.row(key), today - IMAGE_LIFETIME_DAYS)

    def builders(self, repository: bytes, *, today: int) -> frozenset[str]:
        """Who built the repository recently."""
        return self._builders(self.built.row(repository), today - REBUILD_MEMORY_DAYS)

    def fact(self, key: bytes, member: str) -> int:
        """The member's copy of the image, or 0."""
        number = self._numbers.get(member)
        return 0 if number is None else self.images.get(key, number)

    def built_day(self, repository: bytes, member: str) -> int:
        """When the member last built the repository, or 0."""
        number = self._numbers.get(member)
        return 0 if number is None else self.built.get(repository, number)

    def put(self, key: bytes, member: str, fact: int) -> int:
        """The member holds the image; returns what was known before."""
        number = self.number(member)
        before = self.images.put(key, number, fact)
        if not before:
            self._keys[number][key[0] % _MEMBER_SHARDS][key] = None
        return before

    def drop(self, key: bytes, member: str) -> int:
        """The member does not hold the image; returns what was known before."""
        number = self._numbers.get(member)
        before = 0 if number is None else self.images.drop(key, number)
        if before and number is not None:
            del self._keys[number][key[0] % _MEMBER_SHARDS][key]
        return before

    def put_built(self, repository: bytes, member: str, day: int) -> None:
        """The member built the repository on that day."""
        self.built.put(repository, self.number(member), day)

    def drop_built(self, repository: bytes, member: str) -> None:
        """It did not, or that is forgotten."""
        if (number := self._numbers.get(member)) is not None:
            self.built.drop(repository, number)

    def keys_of(self, member: str) -> Iterator[tuple[bytes, ...]]:
        """The keys of all that the member holds, in portions that may be dropped meanwhile."""
        number = self._numbers.get(member)
        for shard in self._keys[number] if number is not None else ():
            yield tuple(shard)

    def image_count(self, member: str) -> int:
        """How many images the member holds."""
        number = self._numbers.get(member)
        return 0 if number is None else sum(len(shard) for shard in self._keys[number])

    def members(self) -> Iterable[str]:
        """Every member that was ever met."""
        return tuple(self._names)

    def name(self, number: int) -> str:
        """The member with that number."""
        return self._names[number]

    def number(self, member: str) -> int:
        """The member's number, a new one if need be."""
        number = self._numbers.get(member)
        if number is None:
            number = self._numbers[member] = len(self._names)
            self._names.append(member)
            self._keys.append([{} for _ in range(_MEMBER_SHARDS)])
        return number

    def _decode_holders(self, row: bytes, oldest_day: int) -> Mapping[str, Held]:
        return MappingProxyType(
            {
                self._names[number]: unpack_fact(fact)
                for number, fact in self.images.entries(row)
                if day_of(fact) >= oldest_day
            }
        )

    def _decode_builders(self, row: bytes, oldest_day: int) -> frozenset[str]:
        return frozenset(
            self._names[number] for number, day in self.built.entries(row) if day >= oldest_day
        )
