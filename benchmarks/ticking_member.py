"""A member whose launches send an event every second, each with the time and its number.

Raw sockets, so that thousands of streams cost it little. Events are told in the phase
`building`, as log lines; `finish` ends every stream with `ready`.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

TICK_SECONDS = 1.0
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_WELL = b'{"ok": true, "checks": []}'
_PLAIN = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
    b"Connection: close\r\n\r\n%b"
)
_READY = (
    b'data: {"phase": "ready", "message": "ready\\n", "url": "http://127.0.0.1:1/", '
    b'"token": "t", "image": "i", "repo_url": "r"}\n\n'
)


class TickingMember:
    """Takes any number of launches. `streams` are those that are open."""

    def __init__(self) -> None:
        self.port = 0
        self.streams: set[_Connection] = set()

    def finish(self) -> None:
        """End every stream with `ready`."""
        for stream in list(self.streams):
            stream.end()


class _Connection(asyncio.Protocol):
    def __init__(self, member: TickingMember) -> None:
        self._member = member
        self._request = b""
        self._number = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._request += data
        if not self._request.endswith(b"\r\n\r\n"):
            return
        path = self._request.split(b" ", 2)[1]
        self._request = b""
        if b"/build/" not in path:
            self._transport.write(_PLAIN % (len(_WELL), _WELL))
            self._transport.close()
            return
        self._member.streams.add(self)
        self._transport.write(_STREAM_HEAD)
        # Launches begin at any time: the phase of each is its own.
        first_seconds = TICK_SECONDS * random.random()  # noqa: S311 - keeps no secret
        self._timer = asyncio.get_running_loop().call_later(first_seconds, self._tick)

    def connection_lost(self, _error: Exception | None) -> None:
        self._stop()

    def end(self) -> None:
        """The last event."""
        self._stop()
        self._transport.write(_chunk(_READY) + b"0\r\n\r\n")

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(TICK_SECONDS, self._tick)
        line = b"t=%.6f n=%d" % (time.monotonic(), self._number)
        self._number += 1
        self._transport.write(_chunk(b'data: {"phase": "building", "message": "%b\\n"}\n\n' % line))

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._member.streams.discard(self)


@asynccontextmanager
async def ticking_member() -> AsyncIterator[TickingMember]:
    """Serve one on loopback."""
    member = TickingMember()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(member), "127.0.0.1", 0, backlog=4096)
    member.port = server.sockets[0].getsockname()[1]
    try:
        yield member
    finally:
        server.close()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
