"""Reads what other replicas write, from where it was, for as long as the replica lives.

It has a connection of its own, because it waits in it. A Redis that does not answer is
asked again after a pause that grows; then it goes on from its last entry. Whoever must
know that something was missed is told.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import structlog
from redis.exceptions import RedisError, ResponseError

from binder_federation.federation.shared.connection import RedisConnection, make_client
from binder_federation.federation.shared.news import FIELD
from binder_federation.federation.shared.position import (
    START,
    Lost,
    Position,
    StreamState,
    place,
    state_of,
)

log = structlog.get_logger(__name__)

BLOCK_SECONDS = 1.0
READ_DEADLINE_SECONDS = 5.0
"""For an answer that Redis has to wait for; one that is merely late is still good."""
ENTRIES_AT_ONCE = 100
LONGEST_PAUSE_SECONDS = 2.0


class StreamTail:
    """Hands entries of the streams to `on_entry`, in order.

    `facts` is the stream in which nothing may be missed unnoticed; `on_lost` is told.
    """

    def __init__(
        self,
        *,
        connection: RedisConnection,
        on_entry: Callable[[bytes], None],
        on_lost: Callable[[Lost], None],
    ) -> None:
        self._connection = connection
        self._client = make_client(connection.settings, most_connections=2)
        self._on_entry = on_entry
        self._on_lost = on_lost
        self._facts = connection.keys.facts
        self._positions: dict[str, Position] = {}
        self._is_placed = False

    async def find_place(self) -> None:
        """Begin at the streams' ends, or where it was. Raises what redis-py raises."""
        facts, news = self._connection.keys.facts, self._connection.keys.news
        for stream in (facts, news):
            position, lost = place(self._positions.get(stream), await self._state(stream))
            self._positions[stream] = position
            if lost is not None and stream == facts:
                self._on_lost(lost)
        self._is_placed = True

    def read_from_start(self) -> None:
        """The streams are new ones: Redis was flushed under us."""
        self._positions = {stream: Position(START, 0) for stream in self._positions}

    async def run(self) -> None:
        """Read, for ever."""
        pause_seconds = 0.1
        while True:
            try:
                if not self._is_placed:
                    await self.find_place()
                await self._read()
                pause_seconds = 0.1
            except (RedisError, OSError) as error:
                if self._is_placed:
                    log.warning("redis_tail_interrupted", reason=repr(error)[:200])
                self._is_placed = False
                await asyncio.sleep(pause_seconds * random.uniform(0.8, 1.2))  # noqa: S311
                pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def _state(self, stream: str) -> StreamState:
        try:
            async with asyncio.timeout(READ_DEADLINE_SECONDS):
                return state_of(await self._client.xinfo_stream(stream))
        except ResponseError as error:
            if "no such key" in str(error):
                return StreamState()
            raise

    async def _read(self) -> None:
        positions = dict(self._positions)
        wanted: Mapping[Any, Any] = {name: each.last_id for name, each in positions.items()}
        async with asyncio.timeout(BLOCK_SECONDS + READ_DEADLINE_SECONDS):
            answer: Any = await self._client.xread(
                dict(wanted), count=ENTRIES_AT_ONCE, block=int(BLOCK_SECONDS * 1000)
            )
        if not answer:
            self._connection.metrics.mirror_lag.set(0)
        for name, found in answer or ():
            self._take(name.decode(), found, positions)

    def _take(
        self,
        stream: str,
        found: list[tuple[bytes, dict[bytes, bytes]]],
        before: dict[str, Position],
    ) -> None:
        if self._positions[stream] is not before[stream]:
            return  # the streams became new ones while we waited
        for _, fields in found:
            entry = self._connection.decoded("tail", partial(fields.__getitem__, FIELD))
            if entry is not None:
                self._on_entry(entry)
        last_id = found[-1][0].decode()
        self._positions[stream] = before[stream].after(last_id, len(found))
        behind = time.time() - int(last_id.partition("-")[0]) / 1000
        self._connection.metrics.mirror_lag.set(max(0.0, behind))
