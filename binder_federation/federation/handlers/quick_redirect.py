"""A 307 that is written in one piece: a third less work than aiohttp's own way to the socket.

Redirect mode answers thousands of requests a second with a few headers that are mostly
the same and no body. In the usual case (HTTP/1.1, kept alive) the head is put together
here; in every other one the answer goes aiohttp's way. No `on_response_prepare` signal
is sent in the usual case, so what those add stands here, or is given in `headers`.
"""

from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from binder_federation.runtime.web import SECURITY_HEADERS

HEADERS = {
    # The answer holds a token, and the next one may name another member.
    "Cache-Control": "no-store",
    **SECURITY_HEADERS,
}
_CONSTANT = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())


class QuickRedirect(web.Response):
    """A 307 to `location`, which is percent-encoded already, with further `headers`."""

    def __init__(self, location: str, *, now: float, headers: Mapping[str, str]) -> None:
        for value in (location, *headers.values()):
            if not value.isascii() or "\r" in value or "\n" in value:
                raise ValueError("a header's value is ASCII and one line")
        super().__init__(status=307)
        self._location = location
        self._now = now
        self._further = headers
        self._is_written = False

    @property
    def location(self) -> str:
        """Where it leads."""
        return self._location

    @property
    def keep_alive(self) -> bool | None:
        """Whether the connection stays open after it."""
        return True if self._is_written else super().keep_alive

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write the answer."""
        transport = request.transport
        if transport is None or request.version != (1, 1) or not request.keep_alive:
            self.headers.update({"Location": self._location, **HEADERS, **self._further})
            return await super().prepare(request)
        further = "".join([f"{name}: {value}\r\n" for name, value in self._further.items()])
        transport.write(
            (
                f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {self._location}\r\n{_CONSTANT}"
                f"{further}Date: {_http_date(int(self._now))}\r\nContent-Length: 0\r\n\r\n"
            ).encode("ascii")
        )
        self._is_written = True
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """There is nothing after the head."""
        if not self._is_written:
            await super().write_eof(data)


@lru_cache(maxsize=4)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)
