"""A load generator that is not the bottleneck: raw sockets, kept alive, a closed loop.

Each of a fixed number of connections sends a request, waits for the head of its answer
and sends the next. Answers have no body, so an empty line ends them.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from benchmarks.rounds import percentile

GRACE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Load:
    """What came back in one round."""

    count: int
    per_second: float
    p50_seconds: float
    p99_seconds: float


class UnexpectedAnswer(Exception):
    """An answer without the status that the benchmark is about."""


class _Connection(asyncio.Protocol):
    def __init__(
        self, requests: Iterator[bytes], *, status: bytes, until: float, seconds: list[float]
    ) -> None:
        self._requests = requests
        self._expected = b"HTTP/1.1 " + status
        self._until = until
        self._seconds = seconds
        self._head = b""
        self._sent_at = 0.0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._head += data
        if not self._head.endswith(b"\r\n\r\n"):
            return
        now = time.perf_counter()
        self._seconds.append(now - self._sent_at)
        if not self._head.startswith(self._expected):
            self._end(UnexpectedAnswer(self._head[:200].decode("latin-1")))
        elif now >= self._until:
            self._end(None)
        else:
            self._head = b""
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or ConnectionError("the server closed the connection"))

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(next(self._requests))

    def _end(self, error: Exception | None) -> None:
        if not self.ended.done():
            if error is None:
                self.ended.set_result(None)
            else:
                self.ended.set_exception(error)
            self._transport.close()


async def generate_load(
    port: int, requests: Sequence[bytes], *, seconds: float, connections: int, status: int
) -> Load:
    """Send `requests` in turn for so long; every answer must have that status."""
    loop = asyncio.get_running_loop()
    endless = itertools.cycle(requests)
    taken: list[float] = []
    began = time.perf_counter()

    def make() -> _Connection:
        return _Connection(
            endless, status=str(status).encode(), until=began + seconds, seconds=taken
        )

    pairs = [await loop.create_connection(make, "127.0.0.1", port) for _ in range(connections)]
    async with asyncio.timeout(seconds + GRACE_SECONDS):
        await asyncio.gather(*(connection.ended for _, connection in pairs))
    lasted = time.perf_counter() - began
    return Load(len(taken), len(taken) / lasted, percentile(taken, 0.5), percentile(taken, 0.99))


def get_request(path: str, port: int) -> bytes:
    """The bytes of a GET as an EventSource sends it."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n\r\n"
    ).encode()
