"""The key of visitors' build tokens where the settings name none: replicas agree on one.

The first replica writes its own random key to Redis, the others take that. A key that was
in use is still accepted for as long as its tokens live. Without Redis, or until it answers,
each replica uses its own.
"""

import secrets
from collections.abc import Callable
from typing import Any

from binder_federation.federation.shared.connection import RedisConnection, RedisUnavailable

KEY_LIFETIME_SECONDS = 30 * 86_400
AGREE_EVERY_SECONDS = 10.0
LEAST_CHARACTERS = 32
"""What is shorter was not made by us."""
KEPT_KEYS = 4
"""Beside the one that signs; there are others only when replicas began without Redis."""


class SharedKey:
    """This replica's keys. `agree` is called now and then."""

    def __init__(
        self,
        *,
        connection: RedisConnection | None,
        make_key: Callable[[], str] = lambda: secrets.token_urlsafe(32),
    ) -> None:
        self._connection = connection
        self._keys: tuple[str, ...] = (make_key(),)

    def keys(self) -> tuple[str, ...]:
        """The one that signs first, and others that are accepted."""
        return self._keys

    async def agree(self) -> None:
        """Take the key that the replicas share, or make ours that one."""
        if self._connection is None:
            return
        name = self._connection.keys.visitor_key
        ours = self._keys[0]

        async def ask(client: Any) -> bytes:
            await client.set(name, ours, nx=True)
            found: bytes | None = await client.getex(name, ex=KEY_LIFETIME_SECONDS)
            return found or b""

        try:
            found = await self._connection.call_in_background("visitor_key", ask)
        except RedisUnavailable:
            return
        shared = found.decode("ascii", "ignore")
        if len(shared) >= LEAST_CHARACTERS and shared != ours:
            self._keys = tuple(dict.fromkeys((shared, *self._keys)))[: KEPT_KEYS + 1]
