"""Answers about refs that replicas share: memory first, then Redis, within a launch's deadline.

Redis keeps an answer for a day, long after it is believed: for its ETag, and for when the
provider is down. Memory answers while its entry is young; after that another replica may
have asked the provider meanwhile.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from binder_federation.binder.providers.base import Missing, Resolved
from binder_federation.binder.ref_cache import CachedRef, MemoryRefCache
from binder_federation.federation.shared.connection import RedisConnection, RedisUnavailable
from binder_federation.federation.shared.keys import REF_LIFETIME_SECONDS
from binder_federation.federation.shared.state_outbox import StateOutbox
from binder_federation.runtime.bounded import read_json, read_time

MOST_CHARACTERS = 4096


class RedisRefCache:
    """A `RefCache`. `believed_seconds` is how long a resolver believes a branch's commit."""

    def __init__(
        self,
        *,
        connection: RedisConnection,
        outbox: StateOutbox,
        believed_seconds: float,
        clock: Callable[[], float] = time.time,
        memory: MemoryRefCache | None = None,
    ) -> None:
        self._connection = connection
        self._outbox = outbox
        self._believed_seconds = believed_seconds
        self._clock = clock
        self._memory = memory or MemoryRefCache()

    async def get(self, key: str) -> CachedRef | None:
        """The entry, however old. Waits 25 ms at most."""
        known = await self._memory.get(key)
        if known is not None and self._clock() - known.asked_at < self._believed_seconds:
            return known
        shared = await self._read(key)
        if shared is None or (known is not None and known.asked_at >= shared.asked_at):
            return known
        await self._memory.put(key, shared)
        return shared

    async def put(self, key: str, entry: CachedRef) -> None:
        """Remember `entry`; the other replicas find it soon."""
        await self._memory.put(key, entry)
        self._outbox.set(
            self._connection.keys.ref(key), encode(entry), lifetime_seconds=REF_LIFETIME_SECONDS
        )

    async def _read(self, key: str) -> CachedRef | None:
        name = self._connection.keys.ref(key)
        try:
            value = await self._connection.call("ref", lambda client: client.get(name))
        except RedisUnavailable:
            return None
        return self._connection.decoded("ref", lambda: decode(value, now=self._clock()))


def encode(entry: CachedRef) -> bytes:
    """The entry as JSON."""
    body: dict[str, Any] = {"learned_at": entry.learned_at, "asked_at": entry.asked_at}
    if entry.trouble:
        body["trouble"] = entry.trouble
    match entry.answer:
        case Resolved(resolved_ref, etag, repository):
            body |= {"resolved_ref": resolved_ref, "etag": etag}
            body |= {"repository": repository} if repository else {}
        case Missing(what, message):
            body |= {"what": what, "message": message}
    return json.dumps(body).encode()


def decode(value: Any, *, now: float) -> CachedRef | None:
    """The entry in a value; None when there is none. Raises what reading another form raises."""
    if value is None:
        return None
    body = read_json(value)
    answer: Resolved | Missing = (
        Resolved(
            _text(body["resolved_ref"]), _text(body["etag"]), _text(body.get("repository", ""))
        )
        if "resolved_ref" in body
        else Missing(_text(body["what"]), _text(body["message"]))
    )
    times = {name: read_time(body[name], now=now) for name in ("learned_at", "asked_at")}
    return CachedRef(answer, **times, trouble=_text(body.get("trouble", "")))


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > MOST_CHARACTERS:
        raise ValueError("a text is expected")
    return value
