"""A table of key → (member → small integer) for millions of keys.

A row is one bytes object: for each member two bytes of its number and the value. Bytes
in plain dicts are nothing that Python's garbage collector looks at, so its passes stay
short. The keys are spread over many dicts, so that none takes long to grow.
"""

import struct
from collections.abc import Iterator

SHARDS = 256

_MEMBER_BYTES = 2
_FORMATS = {2: "H", 4: "I"}


class PackedTable:
    """Values of `value_bytes` bytes (2 or 4); 0 stands for none."""

    def __init__(self, value_bytes: int) -> None:
        self._entry = struct.Struct(">H" + _FORMATS[value_bytes])
        self._entry_bytes = self._entry.size
        self._shards: list[dict[bytes, bytes]] = [{} for _ in range(SHARDS)]
        self._count = 0

    def __len__(self) -> int:
        """How many keys there are."""
        return sum(len(shard) for shard in self._shards)

    @property
    def value_count(self) -> int:
        """How many values there are."""
        return self._count

    def row(self, key: bytes) -> bytes:
        """All that is known of the key, packed; empty for nothing."""
        return self._shards[key[0]].get(key, b"")

    def entries(self, row: bytes) -> Iterator[tuple[int, int]]:
        """The row's members and values."""
        yield from self._entry.iter_unpack(row)

    def get(self, key: bytes, member: int) -> int:
        """The value for the member, or 0."""
        row = self.row(key)
        at = self._find(row, member)
        return 0 if at < 0 else self._value_at(row, at)

    def put(self, key: bytes, member: int, value: int) -> int:
        """Set a value; returns the one before, or 0."""
        shard = self._shards[key[0]]
        entry = self._entry.pack(member, value)
        row = shard.get(key)
        if row is None:
            shard[key] = entry
            self._count += 1
            return 0
        at = self._find(row, member)
        if at < 0:
            shard[key] = row + entry
            self._count += 1
            return 0
        shard[key] = row[:at] + entry + row[at + self._entry_bytes :]
        return self._value_at(row, at)

    def drop(self, key: bytes, member: int) -> int:
        """Take a value out; returns it, or 0."""
        shard = self._shards[key[0]]
        row = shard.get(key, b"")
        at = self._find(row, member)
        if at < 0:
            return 0
        self._count -= 1
        if len(row) == self._entry_bytes:
            del shard[key]
        else:
            shard[key] = row[:at] + row[at + self._entry_bytes :]
        return self._value_at(row, at)

    def shard(self, number: int) -> dict[bytes, bytes]:
        """The rows of the keys that begin with the byte `number`. Not to be changed."""
        return self._shards[number]

    def _find(self, row: bytes, member: int) -> int:
        """Where the member's entry begins, or -1. The two bytes may occur inside an entry."""
        wanted = member.to_bytes(_MEMBER_BYTES, "big")
        at = row.find(wanted)
        while at % self._entry_bytes and at > 0:
            at = row.find(wanted, at + 1)
        return at

    def _value_at(self, row: bytes, at: int) -> int:
        return int.from_bytes(row[at + _MEMBER_BYTES : at + self._entry_bytes], "big")
