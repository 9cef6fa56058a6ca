"""Each member's last report, so that every replica knows its load, and a new one at once.

A report is a body of bytes here, without the images: the locality store has these.
"""

from functools import partial
from typing import Any, Protocol

from redis.asyncio import Redis

from binder_federation.federation.shared.bus import Bus, Topic
from binder_federation.federation.shared.connection import RedisConnection, RedisUnavailable
from binder_federation.federation.shared.keys import MEMBER_REPORT_LIFETIME_SECONDS
from binder_federation.federation.shared.state_outbox import StateOutbox


class LastReports(Protocol):
    """Where reports are told, and found again."""

    def publish(self, member: str, body: bytes) -> None:
        """The member's report came to this replica; the others hear it on `Topic.REPORT`."""

    async def load_all(self) -> dict[str, bytes]:
        """Reports of the last minute by member; empty when they cannot be had in time."""


class LocalLastReports:
    """With one replica there is nobody to tell."""

    def publish(self, member: str, body: bytes) -> None:
        """Nobody else is there."""

    async def load_all(self) -> dict[str, bytes]:
        """Nothing is kept."""
        return {}


class RedisLastReports:
    """Reports under `member:<name>`, and as news."""

    def __init__(self, *, connection: RedisConnection, bus: Bus, outbox: StateOutbox) -> None:
        self._connection = connection
        self._bus = bus
        self._outbox = outbox

    def publish(self, member: str, body: bytes) -> None:
        """The member's report came to this replica; the others hear it on `Topic.REPORT`."""
        name = self._connection.keys.member(member)
        self._outbox.set(name, body, lifetime_seconds=MEMBER_REPORT_LIFETIME_SECONDS)
        self._bus.publish(Topic.REPORT, body)

    async def load_all(self) -> dict[str, bytes]:
        """Reports of the last minute by member; empty when they cannot be had in time."""
        keys = self._connection.keys
        found = await read_matching(self._connection, keys.members)
        named = {
            self._connection.decoded("report", partial(keys.member_of, name)): body
            for name, body in found.items()
        }
        return {name: body for name, body in named.items() if name is not None}


async def read_matching(connection: RedisConnection, pattern: str) -> dict[bytes, bytes]:
    """The keys that match and their values; empty when Redis does not answer in time."""

    async def read(client: "Redis") -> dict[bytes, bytes]:
        names: list[Any] = [name async for name in client.scan_iter(match=pattern, count=1000)]
        values: list[Any] = await client.mget(names) if names else []
        return {name: value for name, value in zip(names, values, strict=True) if value}

    try:
        return await connection.call_in_background("load", read)
    except RedisUnavailable:
        return {}
