"""A host of raw files, as raw.githubusercontent.com is: `/<owner>/<name>/<commit>/<path>`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer


class FileHost:
    """The server. `files` are contents by path; what is not there is a 404."""

    def __init__(self) -> None:
        self.url = ""
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.status = 200
        """Of every answer, when a test makes it another one."""
        self.asked: list[str] = []
        self.authorizations: list[str | None] = []
        self.answers = asyncio.Event()
        """Cleared by a test, it lets requests wait."""
        self.answers.set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Any request."""
        path = request.path_qs.lstrip("/")
        self.asked.append(path)
        self.authorizations.append(request.headers.get("Authorization"))
        await self.answers.wait()
        if self.status != 200:
            return web.Response(status=self.status)
        if path in self.redirects:
            raise web.HTTPFound(self.redirects[path])
        content = self.files.get(path)
        return web.Response(status=404) if content is None else web.Response(body=content)


@asynccontextmanager
async def file_host() -> AsyncIterator[FileHost]:
    """A running one, on a free port of this machine."""
    host = FileHost()
    app = web.Application()
    app.router.add_get("/{path:.*}", host.answer)
    server = TestServer(app)
    await server.start_server(shutdown_timeout=1)
    host.url = str(server.make_url("")).rstrip("/")
    try:
        yield host
    finally:
        host.answers.set()
        await server.close()
