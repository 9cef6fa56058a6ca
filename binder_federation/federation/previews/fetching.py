"""Gets one file over HTTP: bounded in size and time, redirected within its own host only.

No retry: a preview that is late is of no use.
"""

import asyncio
from urllib.parse import urljoin, urlsplit

import httpx

from binder_federation.federation.previews.sources import FileAddress

MOST_BYTES = 2 << 20
_REDIRECTS = 2
_REDIRECT_STATUSES = (301, 302, 307, 308)


class FetchingFailed(Exception):
    """No answer, or one that says nothing about the file: another time it may be there."""


class Files:
    """Fetches files with `client`."""

    def __init__(self, *, client: httpx.AsyncClient, deadline_seconds: float = 8.0) -> None:
        self._client = client
        self._deadline_seconds = deadline_seconds

    async def fetch(self, address: FileAddress) -> bytes | None:
        """The file, or None if there is none or it is too large. Raises `FetchingFailed`."""
        try:
            async with asyncio.timeout(self._deadline_seconds):
                return await self._fetch(address)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
            raise FetchingFailed(type(error).__name__) from error

    async def _fetch(self, address: FileAddress) -> bytes | None:
        url = address.url
        for _ in range(1 + _REDIRECTS):
            async with self._client.stream(
                "GET", url, headers=address.headers, follow_redirects=False
            ) as answer:
                if answer.status_code in _REDIRECT_STATUSES:
                    url = _within_host(url, answer.headers.get("Location", ""))
                    continue
                return await _content(answer)
        raise FetchingFailed("too many redirects")


async def _content(answer: httpx.Response) -> bytes | None:
    if answer.status_code in (404, 410, 451):
        return None
    if answer.status_code != 200:
        raise FetchingFailed(f"status {answer.status_code}")
    parts = bytearray()
    async for part in answer.aiter_bytes():
        parts += part
        if len(parts) > MOST_BYTES:
            return None
    return bytes(parts)


def _within_host(url: str, location: str) -> str:
    target = urljoin(url, location)
    one, two = urlsplit(url), urlsplit(target)
    if (one.scheme, one.netloc) != (two.scheme, two.netloc):
        raise FetchingFailed("redirected elsewhere")
    return target
