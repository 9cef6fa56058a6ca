"""The base of servers that behave like data repositories: requests, failures, files.

A site's own module adds the API. `fail_next`, `answer_next`, `limit_next` and `hang` change
how the next requests of any kind are answered.
"""

import asyncio
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tests.support.git_server import SeenRequest


@dataclass(frozen=True)
class StoredFile:
    """One file that is served at `/stored/<number>`."""

    name: str
    content: bytes
    number: int

    @property
    def md5(self) -> str:
        return hashlib.md5(self.content, usedforsecurity=False).hexdigest()


class FakeDataSite:
    """`async with FakeZenodo() as zenodo:`; then `zenodo.url`."""

    def __init__(self) -> None:
        self.requests: list[SeenRequest] = []
        self.stored: list[StoredFile] = []
        self.gone: set[int] = set()
        """Numbers of files that are listed, and not there."""
        self.port = 0
        self._answers: list[web.Response] = []
        self._open = asyncio.Event()
        self._open.set()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        """What was asked for, with queries, still encoded."""
        return [request.path for request in self.requests]

    def fail_next(self, times: int = 1, *, status: int = 502) -> None:
        """Answer the next requests with `status`, and not in JSON."""
        self._answers += [web.Response(status=status, text="<html>no</html>") for _ in range(times)]

    def answer_next(self, text: str, *, times: int = 1, **headers: str) -> None:
        """Answer the next requests with 200 and `text`."""
        self._answers += [web.Response(text=text, headers=headers) for _ in range(times)]

    def limit_next(self, times: int = 1, *, headers: Mapping[str, str]) -> None:
        """Answer the next requests with 429."""
        body = {"status": 429, "message": "Rate limit exceeded"}
        self._answers += [
            web.json_response(body, status=429, headers=headers) for _ in range(times)
        ]

    def redirect_next(self, target: str, *, status: int = 302) -> None:
        """Send the next request elsewhere."""
        self._answers.append(web.Response(status=status, headers={"Location": target}))

    def hang(self) -> None:
        """Answer nothing until the end."""
        self._open.clear()

    def store(self, name: str, content: bytes | str) -> StoredFile:
        """A file that can be downloaded."""
        data = content.encode() if isinstance(content, str) else content
        file = StoredFile(name, data, len(self.stored))
        self.stored.append(file)
        return file

    def file_url(self, file: StoredFile) -> str:
        return f"{self.url}/stored/{file.number}"

    def limit_headers(self) -> dict[str, str]:
        """What the real site tells of its limits with each answer."""
        return {}

    def routes(self) -> list[web.RouteDef]:
        """The site's API."""
        return []

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._intercept])
        app.add_routes([web.get("/stored/{number}", self._serve_file), *self.routes()])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.set()
        assert self._runner is not None
        await self._runner.cleanup()

    @web.middleware
    async def _intercept(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append(SeenRequest(request.method, request.raw_path, dict(request.headers)))
        await self._open.wait()
        if self._answers:
            return self._answers.pop(0)
        answer: web.StreamResponse = await handler(request)
        answer.headers.update(self.limit_headers())
        return answer

    async def _serve_file(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        if number in self.gone or number >= len(self.stored):
            return web.json_response({"status": 404}, status=404)
        return web.Response(body=self.stored[number].content)


def window_end(seconds: int) -> str:
    """A point in time as rate limits tell it."""
    return str(int(time.time()) + seconds)
