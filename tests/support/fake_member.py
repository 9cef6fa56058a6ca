"""A member as a real server on loopback: it speaks the member API and fails on command.

It checks build tokens as an agent does, remembers what it "built", and can be told
how the next launches end (`fail_next`), to stop in the middle (`hold`), or to go away
and come back on the same port (`stop`, `start`).
"""

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from enum import StrEnum

from aiohttp import web

from binder_federation.binder.build_tokens import verify_build_token
from binder_federation.binder.errors import BuildFailed, LaunchFailed, QuotaExceeded
from binder_federation.binder.events import Event, Phase, encode_event, failed_event

CREDENTIAL = "a-credential-for-tests-of-at-least-32-bytes"


class Failure(StrEnum):
    """How a launch can end badly."""

    STATUS_500 = "status_500"
    STATUS_403 = "status_403"
    RESET_AT_BUILDING = "reset_at_building"
    RESET_AT_LAUNCHING = "reset_at_launching"
    CLOSE_EARLY = "close_early"
    SILENT = "silent"
    GARBAGE = "garbage"
    BUILD_FAILS = "build_fails"
    LAUNCH_FAILS = "launch_fails"
    FULL = "full"


class _Cut(Exception):
    """The connection is to be reset here."""


@dataclass
class FakeMember:
    """One member. `paths` are the launches asked for; `builds` counts builds by path."""

    name: str
    credential: str = CREDENTIAL
    is_well: bool = True
    paths: list[str] = field(default_factory=list)
    builds: Counter[str] = field(default_factory=Counter)
    images: set[str] = field(default_factory=set)
    probes: Counter[str] = field(default_factory=Counter)
    build_lines: int = 3
    capacity: int = 1_000_000
    sessions: int = 0
    is_silent: bool = False
    """Takes connections and answers nothing, as a host does whose packets are dropped."""
    port: int = 0
    _failures: deque[Failure] = field(default_factory=deque)
    _runner: web.AppRunner | None = None
    _may_go_on: asyncio.Event = field(default_factory=asyncio.Event)
    _is_held: asyncio.Event = field(default_factory=asyncio.Event)
    _hold_at: Phase | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/build/{path:.*}", self._build)
        app.router.add_get("/health", self._health)
        app.router.add_get("/versions", self._versions)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Go away: connections are refused, open streams are cut."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            self._may_go_on.set()
            await runner.cleanup()

    def fail_next(self, *failures: Failure) -> None:
        """The next launches end like this, in this order; those after them end well."""
        self._failures.extend(failures)

    def hold(self, phase: Phase) -> None:
        """Stop every launch as it reaches `phase` until `go_on`."""
        self._hold_at = phase
        self._may_go_on.clear()
        self._is_held.clear()

    async def wait_until_held(self) -> None:
        async with asyncio.timeout(20):
            await self._is_held.wait()

    def go_on(self) -> None:
        self._hold_at = None
        self._may_go_on.set()

    async def _maybe_fall_silent(self) -> None:
        if self.is_silent:
            await asyncio.Event().wait()

    async def _health(self, _request: web.Request) -> web.Response:
        self.probes["/health"] += 1
        await self._maybe_fall_silent()
        body = {"ok": self.is_well, "checks": [{"service": "JupyterHub API", "ok": self.is_well}]}
        return web.json_response(body, status=200 if self.is_well else 503)

    async def _versions(self, _request: web.Request) -> web.Response:
        self.probes["/versions"] += 1
        return web.json_response({"builder": "fake", "binderhub": "1.0"})

    async def _build(self, request: web.Request) -> web.StreamResponse:
        await self._maybe_fall_silent()
        path = request.raw_path.partition("?")[0].removeprefix("/build/")
        in_header = request.headers.get("Authorization", "").removeprefix("Bearer ")
        token = in_header or request.query.get("build_token", "")
        verify_build_token(self.credential, token, audience=path)
        self.paths.append(path)
        failure = self._failures.popleft() if self._failures else None
        if failure is Failure.STATUS_500:
            return web.Response(status=500, text="<h1>no</h1>")
        if failure is Failure.STATUS_403:
            return web.json_response({"message": "no"}, status=403)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        if not in_header:  # a browser that was redirected here
            response.headers["Access-Control-Allow-Origin"] = "*"
        await response.prepare(request)
        try:
            await self._stream(response, path, failure)
        except _Cut:
            assert request.transport is not None
            request.transport.abort()
        return response

    async def _stream(
        self, response: web.StreamResponse, path: str, failure: Failure | None
    ) -> None:
        if failure is Failure.FULL or self.sessions >= self.capacity:
            await self._send(response, failed_event(QuotaExceeded(f"{self.name} is full.")))
            return
        if failure is Failure.GARBAGE:
            await response.write(b"data: <html>\n\n")
            return
        self.sessions += 1
        await self._send(response, Event(Phase.FETCHING, "Fetching.\n"))
        if path in self.images:
            await self._send(response, Event(Phase.BUILT, "Found built image, launching...\n"))
        else:
            if not await self._build_image(response, path, failure):
                return
            await self._send(response, Event(Phase.BUILT, "Built image, launching...\n"))
        await self._launch(response, path, failure)

    async def _build_image(
        self, response: web.StreamResponse, path: str, failure: Failure | None
    ) -> bool:
        self.builds[path] += 1
        for number in range(self.build_lines):
            await self._send(response, Event(Phase.BUILDING, f"step {number}\n"))
        if failure is Failure.RESET_AT_BUILDING:
            raise _Cut
        if failure is Failure.BUILD_FAILS:
            error = BuildFailed("The requirement nosuchthing does not exist.")
            await self._send(response, failed_event(error))
            return False
        if failure is Failure.CLOSE_EARLY:
            return False
        if failure is Failure.SILENT:
            await asyncio.Event().wait()
        self.images.add(path)
        return True

    async def _launch(
        self, response: web.StreamResponse, path: str, failure: Failure | None
    ) -> None:
        await self._send(response, Event(Phase.LAUNCHING, "Launching server...\n"))
        if failure is Failure.RESET_AT_LAUNCHING:
            raise _Cut
        if failure is Failure.LAUNCH_FAILS:
            error = LaunchFailed("The hub did not start the server.")
            await self._send(response, failed_event(error))
            return
        url = f"{self.url}/user/x/"
        fields = {"url": url, "token": "secret", "image": path, "repo_url": "r"}
        await self._send(response, Event(Phase.READY, f"server running at {url}\n", fields))

    async def _send(self, response: web.StreamResponse, event: Event) -> None:
        if self._hold_at is event.phase:
            self._is_held.set()
            await self._may_go_on.wait()
        await response.write(encode_event(event))
