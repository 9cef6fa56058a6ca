"""Pre-builds as every replica can tell of them: JSON in Redis, written by the one that runs it.

Without Redis there is one replica, and nothing to tell. A pre-build that is under way is
written every few seconds; one that is not, any more, was lost with its replica, and may be
asked for again: what its members have built is there.
"""

import json
from typing import Any, Protocol

import structlog

from binder_federation.federation.shared.connection import RedisConnection, RedisUnavailable
from binder_federation.runtime.bounded import read_json

log = structlog.get_logger(__name__)

WRITE_EVERY_SECONDS = 2.0
LOST_AFTER_SECONDS = 15.0


class PrebuildRecords(Protocol):
    """What others know of our pre-builds, and we of theirs."""

    async def write(self, body: dict[str, Any], *, lifetime_seconds: int) -> None:
        """Let others read it. Raises nothing."""

    async def read(self, prebuild_id: str) -> dict[str, Any] | None:
        """Another replica's pre-build, as it was last written. None when it cannot be had."""


class NoRecords:
    """One replica alone."""

    async def write(self, body: dict[str, Any], *, lifetime_seconds: int) -> None:
        """Nobody else asks."""

    async def read(self, prebuild_id: str) -> dict[str, Any] | None:  # noqa: ARG002
        """Nobody else has any."""
        return None


class RedisRecords:
    """Under `prebuild:<id>`."""

    def __init__(self, *, connection: RedisConnection) -> None:
        self._connection = connection

    async def write(self, body: dict[str, Any], *, lifetime_seconds: int) -> None:
        """Within the background deadline, or not at all."""
        name = self._connection.keys.prebuild(body["id"])
        text = json.dumps(body)
        try:
            await self._connection.call_in_background(
                "prebuild", lambda client: client.set(name, text, ex=lifetime_seconds)
            )
        except RedisUnavailable:
            log.info("prebuild_not_written", prebuild=body["id"])

    async def read(self, prebuild_id: str) -> dict[str, Any] | None:
        """Within the background deadline."""
        name = self._connection.keys.prebuild(prebuild_id)
        try:
            text = await self._connection.call_in_background(
                "prebuild", lambda client: client.get(name)
            )
        except RedisUnavailable:
            return None
        return None if text is None else self._connection.decoded("prebuild", lambda: _read(text))


def _read(text: bytes | str) -> dict[str, Any]:
    body = read_json(text)
    if not isinstance(body["id"], str) or not isinstance(body["state"], str):
        raise ValueError("this is no pre-build")
    if not isinstance(body["updated_at"], int | float):
        raise ValueError("a pre-build has a time")
    return dict(body)


def as_read(body: dict[str, Any], *, now: float) -> dict[str, Any]:
    """The record as it is told; one that nobody writes any more is lost."""
    if body["state"] == "running" and now - body["updated_at"] > LOST_AFTER_SECONDS:
        return {**body, "state": "lost"}
    return body


def make_prebuild_records(connection: RedisConnection | None) -> PrebuildRecords:
    """For one replica, or for many."""
    return NoRecords() if connection is None else RedisRecords(connection=connection)
