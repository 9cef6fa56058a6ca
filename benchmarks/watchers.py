"""Visitors who watch event streams: how late each event comes, and whether one is missing."""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from benchmarks.load import get_request

OPENED_PER_SECOND = 400
_TICK = re.compile(rb"t=([0-9.]+) n=([0-9]+)")
_READY = re.compile(rb'"phase": ?"ready"')


@dataclass(slots=True)
class Seen:
    """What all watchers of one phase of the benchmark saw."""

    is_counting: bool = False
    """Delays count from when all streams are open."""
    delays: list[float] = field(default_factory=list)
    ready: int = 0
    gaps: int = 0
    """Events that did not come, or not in their order."""
    cut: int = 0
    """Streams that ended without `ready`."""


class _Watcher(asyncio.Protocol):
    def __init__(self, request: bytes, seen: Seen) -> None:
        self._request = request
        self._seen = seen
        self._buffer = b""
        self._next = 0
        self._is_ready = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        whole, separator, self._buffer = (self._buffer + data).rpartition(b"\n\n")
        if not separator:
            return
        for tick in _TICK.finditer(whole):
            self._seen.gaps += int(tick[2]) != self._next
            self._next = int(tick[2]) + 1
            if self._seen.is_counting:
                self._seen.delays.append(now - float(tick[1]))
        if _READY.search(whole):
            self._is_ready = True
            self._seen.ready += 1
            self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        self._seen.cut += not self._is_ready


class Watchers:
    """Opens streams and watches them until they end."""

    def __init__(self, *, port: int, paths: Sequence[str]) -> None:
        self._requests = [get_request(path, port) for path in paths]
        self._port = port
        self.seen = Seen()

    async def open(self) -> None:
        """Open all streams, not too many at a time."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number, request in enumerate(self._requests):
            await loop.create_connection(
                lambda request=request: _Watcher(request, self.seen),  # type: ignore[misc]
                "127.0.0.1",
                self._port,
            )
            due = began + number / OPENED_PER_SECOND
            if (early := due - loop.time()) > 0:
                await asyncio.sleep(early)

    async def watch(self, seconds: float) -> None:
        """Count delays for so long."""
        self.seen.is_counting = True
        await asyncio.sleep(seconds)
        self.seen.is_counting = False

    async def wait_for_end(self, *, within_seconds: float) -> None:
        """Until every stream has ended, as far as it does in that time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + within_seconds
        while (left := until - loop.time()) > 0:
            if self.seen.ready + self.seen.cut >= len(self._requests):
                return
            await asyncio.sleep(min(left, 0.05))
