"""A member's /health and /versions as a real server that answers what it is told to."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

GOOD_HEALTH = {"ok": True, "checks": [{"service": "JupyterHub API", "ok": True}]}
GOOD_VERSIONS = {"builder": "binderhub", "binderhub": "1.0.0"}

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answer_json(body: Any, status: int = 200) -> Answer:
    return answer_text(json.dumps(body), status)


def answer_text(text: str, status: int = 200) -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(text=text, status=status, content_type="application/json")

    return answer


async def never_answer(_request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError("an event that nobody sets")


async def drip(request: web.Request) -> web.StreamResponse:
    """A byte now and then: each read is quick, the whole never ends."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.02)


async def flood(request: web.Request) -> web.StreamResponse:
    """Bytes without end, as fast as they are taken."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"x" * 65536)


async def cut_connection(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


class ScriptedMember:
    """Set `health` and `versions` to what is to be answered from now on."""

    def __init__(self) -> None:
        self.health: Answer = answer_json(GOOD_HEALTH)
        self.versions: Answer = answer_json(GOOD_VERSIONS)
        self.requests: Counter[str] = Counter()
        self.port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/health", self._answer_health)
        app.router.add_get("/versions", self._answer_versions)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Go away; the port is kept for the next `start`."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def _answer_health(self, request: web.Request) -> web.StreamResponse:
        self.requests["/health"] += 1
        return await self.health(request)

    async def _answer_versions(self, request: web.Request) -> web.StreamResponse:
        self.requests["/versions"] += 1
        return await self.versions(request)
