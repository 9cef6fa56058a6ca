"""Where the members' records are kept: for one replica alone, or in Redis for all.

One replica writes, the *scribe*: it holds a claim for ten seconds and renews it with each
write; when it is gone, another one takes it. A write also names the revision that it is
built on, so a scribe that was held up overwrites nothing. So many replicas see one incident
and one line is written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from binder_federation.federation.history.episodes import MemberRecord
from binder_federation.federation.history.record_codec import decode, encode
from binder_federation.federation.shared.connection import RedisConnection
from binder_federation.federation.shared.keys import (
    HISTORY_LIFETIME_SECONDS,
    SCRIBE_LIFETIME_SECONDS,
)


@dataclass(frozen=True, slots=True)
class Records:
    """All members' records, and how often they were written."""

    revision: int
    by_member: Mapping[str, MemberRecord]


class Written(StrEnum):
    """What became of a write."""

    YES = "yes"
    NOT_SCRIBE = "not_scribe"
    """Another replica writes."""
    OUTDATED = "outdated"
    """Somebody has written since; read again."""


class RecordStore(Protocol):
    """Keeps the records. Its calls raise `RedisUnavailable`."""

    async def load(self, known_revision: int) -> Records | None:
        """The records; None when they are those of `known_revision`."""

    async def write(
        self, changes: Mapping[str, MemberRecord | None], revision: int, *, as_scribe: bool = True
    ) -> Written:
        """Keep these records (None drops one), which are built on `revision`.

        With no changes it takes or renews the claim alone. Whoever is not scribe may only
        bring back what was lost (`as_scribe=False`).
        """


class MemoryRecordStore:
    """One replica alone, which has the records in memory anyway."""

    async def load(self, known_revision: int) -> Records | None:  # noqa: ARG002
        """Nobody else writes."""
        return None

    async def write(
        self,
        changes: Mapping[str, MemberRecord | None],  # noqa: ARG002
        revision: int,  # noqa: ARG002
        *,
        as_scribe: bool = True,  # noqa: ARG002
    ) -> Written:
        """Nothing to do."""
        return Written.YES


WRITE = """
local holder = redis.call('GET', KEYS[2])
local needs_claim = ARGV[1] == '1'
if needs_claim and holder and holder ~= ARGV[2] then return 1 end
if (redis.call('HGET', KEYS[1], '') or '0') ~= ARGV[4] then return 2 end
if needs_claim then redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3]) end
for i = 6, #ARGV, 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', KEYS[1], ARGV[i])
  else redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
if #ARGV > 5 then
  redis.call('HINCRBY', KEYS[1], '', 1)
  redis.call('EXPIRE', KEYS[1], ARGV[5])
end
return 0
"""
"""The revision stands in the field without a name."""


class RedisRecordStore:
    """A hash of records by member."""

    def __init__(self, *, connection: RedisConnection) -> None:
        self._connection = connection

    async def load(self, known_revision: int) -> Records | None:
        """All records, when somebody has written since."""
        name = self._connection.keys.history

        async def ask(client: Any) -> dict[bytes, bytes] | None:
            if int(await client.hget(name, "") or 0) == known_revision:
                return None
            found: dict[bytes, bytes] = await client.hgetall(name)
            int(found.get(b"", 0))
            return found

        found = await self._connection.call_in_background("history", ask)
        if found is None:
            return None
        read = [decode(body) for field, body in found.items() if field]
        for record in read:
            if record is None:
                self._connection.note_unreadable("history", ValueError("no record of ours"))
        return Records(
            revision=int(found.get(b"", 0)),
            by_member={record.member: record for record in read if record is not None},
        )

    async def write(
        self, changes: Mapping[str, MemberRecord | None], revision: int, *, as_scribe: bool = True
    ) -> Written:
        """In one step of Redis's."""
        keys = self._connection.keys
        arguments: list[Any] = [
            "1" if as_scribe else "0",
            self._connection.replica_id,
            int(SCRIBE_LIFETIME_SECONDS * 1000),
            revision,
            HISTORY_LIFETIME_SECONDS,
        ]
        for member, record in changes.items():
            arguments += [member, encode(record) if record is not None else b""]
        answer = await self._connection.call_in_background(
            "history",
            lambda client: client.eval(WRITE, 2, keys.history, keys.scribe, *arguments),
        )
        return (Written.YES, Written.NOT_SCRIBE, Written.OUTDATED)[int(answer)]
