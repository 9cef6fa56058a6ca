"""A member as a real server on loopback: it speaks the member API and fails on command.

It checks build tokens as an agent does, remembers what it "built", and can be told
how the next launches end (`fail_next`), to stop in the middle (`hold`), or to go away
and come back on the same port (`stop`, `start`). A launch that its token names outlives
its stream and is watched again, never begun twice, as at an agent
(tests/contract/test_member_launches.py).
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


class _Running:
    """One launch and all that it told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.task: asyncio.Task[None] | None = None
        self.watchers = 0
        self.is_cut = False
        self.changed = asyncio.Event()

    def wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    @property
    def has_ended(self) -> bool:
        return self.task is not None and self.task.done()


@dataclass
class FakeMember:
    """One member. `paths` are the launches asked for; `builds` counts builds by path."""

    name: str
    credential: str = CREDENTIAL
    version: str = "1.0"
    is_well: bool = True
    paths: list[str] = field(default_factory=list)
    builds: Counter[str] = field(default_factory=Counter)
    servers: Counter[str] = field(default_factory=Counter)
    """Servers whose start was begun, by path."""
    attached: int = 0
    """Streams of launches that were under way or over already."""
    dismissed: int = 0
    """Launches that ended because the federation said that nobody wants them."""
    grace_seconds: float = 60.0
    launch_seconds: float = 0.0
    """How long a server takes to start."""
    images: set[str] = field(default_factory=set)
    probes: Counter[str] = field(default_factory=Counter)
    build_lines: int = 3
    capacity: int = 1_000_000
    sessions: int = 0
    is_silent: bool = False
    """Takes connections and answers nothing, as a host does whose packets are dropped."""
    port: int = 0
    _launches: dict[tuple[str, str], _Running] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _failures: deque[Failure] = field(default_factory=deque)
    _runner: web.AppRunner | None = None
    _may_go_on: asyncio.Event = field(default_factory=asyncio.Event)
    _is_held: asyncio.Event = field(default_factory=asyncio.Event)
    _hold_at: Phase | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        """The federation's settings of it."""
        return {"name": self.name, "url": self.url, "credential": self.credential}

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/build/{path:.*}", self._build)
        app.router.add_delete("/build/{path:.*}", self._dismiss)
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
            self._launches.clear()
            for task in list(self._tasks):
                task.cancel()
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
        return web.json_response({"builder": "fake", "binderhub": self.version})

    async def _build(self, request: web.Request) -> web.StreamResponse:
        await self._maybe_fall_silent()
        path, launch_id = self._admit(request)
        running = self._launches.get((path, launch_id)) if launch_id else None
        after = int(request.headers.get("Last-Event-ID", "0")) if running else 0
        if running is None:
            self.paths.append(path)
            failure = self._failures.popleft() if self._failures else None
            if failure is Failure.STATUS_500:
                return web.Response(status=500, text="<h1>no</h1>")
            if failure is Failure.STATUS_403:
                return web.json_response({"message": "no"}, status=403)
            is_build_only = request.query.get("build_only") == "true"
            running = self._begin(path, launch_id, failure, is_build_only=is_build_only)
        else:
            self.attached += 1
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        if "Authorization" not in request.headers:  # a browser that was redirected here
            response.headers["Access-Control-Allow-Origin"] = "*"
        await response.prepare(request)
        running.watchers += 1
        try:
            await self._relay(response, running, after)
        finally:
            running.watchers -= 1
            if not running.watchers and not running.has_ended:
                self._left(running, self.grace_seconds if launch_id else 0)
        if running.is_cut:
            assert request.transport is not None
            request.transport.abort()
        return response

    def _admit(self, request: web.Request) -> tuple[str, str]:
        """The path, and the launch's id in the token."""
        path = request.raw_path.partition("?")[0].removeprefix("/build/")
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        token = token or request.query.get("build_token", "")
        return path, verify_build_token(self.credential, token, audience=path).launch

    def _begin(
        self, path: str, launch_id: str, failure: Failure | None, *, is_build_only: bool
    ) -> _Running:
        running = _Running()

        async def run() -> None:
            try:
                if is_build_only:
                    await self._only_build(running, path, failure)
                else:
                    await self._stream(running, path, failure)
            except _Cut:
                running.is_cut = True

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            is_ready = bool(running.events) and running.events[-1].phase is Phase.READY
            if not is_ready and self._launches.get((path, launch_id)) is running:
                del self._launches[path, launch_id]
            running.wake()

        running.task = asyncio.create_task(run())  # noqa: TID251 - a test's own
        self._tasks.add(running.task)
        running.task.add_done_callback(ended)
        if launch_id:
            self._launches[path, launch_id] = running
        return running

    async def _relay(self, response: web.StreamResponse, running: _Running, after: int) -> None:
        if running.has_ended:
            after = min(after, len(running.events) - 1)
        while True:
            changed = running.changed
            for number, event in enumerate(running.events[after:], start=after + 1):
                if event.phase is Phase.UNKNOWN:
                    await response.write(b"data: <html>\n\n")
                else:
                    await response.write(encode_event(event, str(number)))
                after = number
            if running.has_ended and after >= len(running.events):
                return
            await changed.wait()

    def _left(self, running: _Running, grace_seconds: float) -> None:
        """Its last watcher went away."""

        def give_up() -> None:
            if running.task is not None and not running.watchers:
                running.task.cancel()

        asyncio.get_running_loop().call_later(grace_seconds, give_up)

    async def _dismiss(self, request: web.Request) -> web.Response:
        running = self._launches.get(self._admit(request))
        if running is not None and running.task is not None and not running.watchers:
            self.dismissed += 1
            running.task.cancel()
        return web.Response(status=204)

    async def _stream(self, running: _Running, path: str, failure: Failure | None) -> None:
        if failure is Failure.FULL or self.sessions >= self.capacity:
            await self._send(running, failed_event(QuotaExceeded(f"{self.name} is full.")))
            return
        if failure is Failure.GARBAGE:
            await self._send(running, Event(Phase.UNKNOWN))
            return
        self.sessions += 1
        await self._send(running, Event(Phase.FETCHING, "Fetching.\n"))
        if path in self.images:
            await self._send(running, Event(Phase.BUILT, "Found built image, launching...\n"))
        else:
            if not await self._build_image(running, path, failure):
                return
            await self._send(running, Event(Phase.BUILT, "Built image, launching...\n"))
        await self._launch(running, path, failure)

    async def _only_build(self, running: _Running, path: str, failure: Failure | None) -> None:
        message = "Done! Found built image\n"
        if path not in self.images:
            if not await self._build_image(running, path, failure):
                return
            message = "Done! Image built\n"
        await self._send(running, Event(Phase.READY, message, {"imageName": path}))

    async def _build_image(self, running: _Running, path: str, failure: Failure | None) -> bool:
        self.builds[path] += 1
        for number in range(self.build_lines):
            await self._send(running, Event(Phase.BUILDING, f"step {number}\n"))
        if failure is Failure.RESET_AT_BUILDING:
            raise _Cut
        if failure is Failure.BUILD_FAILS:
            error = BuildFailed("The requirement nosuchthing does not exist.")
            await self._send(running, failed_event(error))
            return False
        if failure is Failure.CLOSE_EARLY:
            return False
        if failure is Failure.SILENT:
            await asyncio.Event().wait()
        self.images.add(path)
        return True

    async def _launch(self, running: _Running, path: str, failure: Failure | None) -> None:
        self.servers[path] += 1
        await self._send(running, Event(Phase.LAUNCHING, "Launching server...\n"))
        if failure is Failure.RESET_AT_LAUNCHING:
            raise _Cut
        if failure is Failure.LAUNCH_FAILS:
            error = LaunchFailed("The hub did not start the server.")
            await self._send(running, failed_event(error))
            return
        await asyncio.sleep(self.launch_seconds)
        url = f"{self.url}/user/x/"
        fields = {"url": url, "token": "secret", "image": path, "repo_url": "r"}
        await self._send(running, Event(Phase.READY, f"server running at {url}\n", fields))

    async def _send(self, running: _Running, event: Event) -> None:
        if self._hold_at is event.phase:
            self._is_held.set()
            await self._may_go_on.wait()
        running.events.append(event)
        running.wake()
        await asyncio.sleep(0)
