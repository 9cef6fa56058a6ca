"""An unmodified BinderHub as a real server on loopback, made after its source.

It has the same handles as `FakeMember` (`fail_next`, `hold`, `stop`, counters), so that the
same tests run against both, and differs where BinderHub does: it takes no token but its own,
which is in its launch page (`binderhub_page.py`), its streams have no event ids, a launch
belongs to its connection (who asks again launches again; only the build is shared, with the
last 100 lines of its log for those who come late), errors are events under status 200,
`OPTIONS`, `HEAD` and `DELETE` of `/build` are 405, and `/health` counts its pods now and then
only. Source: binderhub/builder.py, base.py, quota.py, health.py.
"""

import asyncio
import json
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from binder_federation.binder.events import KEEPALIVE, Phase
from tests.support import binderhub_events as says
from tests.support import binderhub_page
from tests.support.binderhub_events import Said
from tests.support.fake_member import Failure

Say = Callable[[Said], Awaitable[None]]


class _Cut(Exception):
    """The connection is to be reset here."""


class _Closed(Exception):
    """The connection ends here, too early."""


class _Refused(Exception):
    """The stream's only event."""

    def __init__(self, said: Said) -> None:
        super().__init__(said["message"])
        self.said = said


@dataclass
class _Build:
    """A build pod and its log: it goes on when nobody watches."""

    log: list[Said] = field(default_factory=list)
    task: asyncio.Task[None] | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, said: Said) -> None:
        self.log.append(said)
        self.wake()

    def wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    @property
    def has_ended(self) -> bool:
        return self.task is not None and self.task.done()


@dataclass
class FakeBinderHub:
    """One BinderHub. `paths` are the launches asked for; `builds` counts builds by path."""

    name: str
    is_well: bool = True
    keepalive_seconds: float = 25.0
    hold_seconds: float = 60.0
    step_seconds: float = 0.0
    """Before each event."""
    health_seconds: float = 0.0
    """What its slow checks take."""
    pods_cache_seconds: float = 60.0
    quota: int | None = None
    rate_limit: int = 0
    """Launches of one address without a token, ever; 0 is no limit. Its own default is 10 an
    hour."""
    token_secret: str = "the key of this BinderHub's own tokens"
    page_secret: str = ""
    """With what another replica of it signs the tokens in pages; empty is the same."""
    token_seconds: int = 300
    has_old_page: bool = False
    uses_page_tokens: bool = True
    """Whether its operator lets the federation ask for pages."""
    page_seconds: float = 0.0
    banned: set[str] = field(default_factory=set)
    is_api_only: bool = False
    build_lines: int = 3
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    """Of each launch that was asked for."""
    pages: Counter[str] = field(default_factory=Counter)
    """Launch pages asked for, by path."""
    tokens: list[str] = field(default_factory=list)
    """Of each launch that was asked for; "" where there was none."""
    builds: Counter[str] = field(default_factory=Counter)
    servers: Counter[str] = field(default_factory=Counter)
    images: set[str] = field(default_factory=set)
    probes: Counter[str] = field(default_factory=Counter)
    refused_methods: Counter[str] = field(default_factory=Counter)
    sessions: int = 0
    port: int = 0
    attached: int = 0
    """Always: nothing can be gone on with here."""
    dismissed: int = 0
    _asked_by: Counter[str] = field(default_factory=Counter)
    _failures: deque[Failure] = field(default_factory=deque)
    _building: dict[str, _Build] = field(default_factory=dict)
    _runner: web.AppRunner | None = None
    _may_go_on: asyncio.Event = field(default_factory=asyncio.Event)
    _is_held: asyncio.Event = field(default_factory=asyncio.Event)
    _hold_at: Phase | None = None
    _counted: tuple[float, dict[str, int]] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, Any]:
        """The federation's settings of it."""
        told = {} if self.uses_page_tokens else {"uses_page_tokens": False}
        return {"name": self.name, "url": self.url, "kind": "binderhub", **told}

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/build/{path:.*}", self._build, allow_head=False)
        app.router.add_route("*", "/build/{path:.*}", self._refuse_method)
        app.router.add_get("/v2/{path:.*}", self._page, allow_head=False)
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
            for build in self._building.values():
                if build.task is not None:
                    build.task.cancel()
            self._building.clear()
            await runner.cleanup()

    def fail_next(self, *failures: Failure) -> None:
        """The next launches end like this, in this order; those after them end well."""
        self._failures.extend(failures)

    def hold(self, phase: Phase) -> None:
        """Stop every launch as it reaches `phase` until `go_on`."""
        self._hold_at = phase
        self._may_go_on.clear()
        self._is_held.clear()

    def limit_now(self, address: str) -> None:
        """From now on there is a rate limit, and this address has used it up."""
        self.rate_limit = self.rate_limit or 1
        self._asked_by[address] = self.rate_limit

    async def wait_until_held(self) -> None:
        async with asyncio.timeout(20):
            await self._is_held.wait()

    def go_on(self) -> None:
        self._hold_at = None
        self._may_go_on.set()

    async def _refuse_method(self, request: web.Request) -> web.Response:
        self.refused_methods[request.method] += 1
        return web.Response(status=405, text="<h1>405 : Method Not Allowed</h1>")

    async def _page(self, request: web.Request) -> web.Response:
        path = request.raw_path.partition("?")[0].removeprefix("/v2/")
        self.pages[path] += 1
        await asyncio.sleep(self.page_seconds)
        if self.is_api_only:
            return web.Response(status=404, text="<h1>404 : Not Found</h1>")
        secret = self.page_secret or self.token_secret
        token = binderhub_page.make_token(
            request, path, secret=secret, lifetime_seconds=self.token_seconds
        )
        page = binderhub_page.make_page(token, is_old=self.has_old_page)
        return web.Response(text=page, content_type="text/html")

    async def _versions(self, _request: web.Request) -> web.Response:
        self.probes["/versions"] += 1
        return web.json_response(
            {"builder": "quay.io/jupyterhub/repo2docker:2025.08.0", "binderhub": "1.0.0"}
        )

    async def _health(self, request: web.Request) -> web.Response:
        if request.method == "GET":
            self.probes["/health"] += 1
        await asyncio.sleep(self.health_seconds)
        checks = [
            {"service": "JupyterHub API", "ok": self.is_well},
            {"service": "Docker registry", "ok": True},
            {"service": "Pod quota", "_ignore_failure": True, **self._pods()},
        ]
        body = {"ok": self.is_well, "checks": checks}
        return web.json_response(body, status=200 if self.is_well else 503)

    def _pods(self) -> dict[str, Any]:
        """Counted once a minute, whatever happens meanwhile."""
        now = asyncio.get_running_loop().time()
        if self._counted is None or now > self._counted[0] + self.pods_cache_seconds:
            builds = sum(not build.has_ended for build in self._building.values())
            self._counted = now, {"user_pods": self.sessions, "build_pods": builds}
        pods = self._counted[1]
        total = pods["user_pods"] + pods["build_pods"]
        is_ok = self.quota is None or total <= self.quota
        return {**pods, "total_pods": total, "quota": self.quota, "ok": is_ok}

    async def _build(self, request: web.Request) -> web.StreamResponse:
        path = request.raw_path.partition("?")[0].removeprefix("/build/")
        self.paths.append(path)
        self.headers.append(dict(request.headers))
        self.tokens.append(request.query.get("build_token", ""))
        failure = self._failures.popleft() if self._failures else None
        if failure is Failure.STATUS_500:
            return web.Response(status=500, text="<h1>502 Bad Gateway</h1>")
        stream_headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        is_stream = "text/event-stream" in request.headers.get("Accept", "")
        response = web.StreamResponse(status=200 if is_stream else 400, headers=stream_headers)
        await response.prepare(request)

        async def say(said: Said) -> None:
            await asyncio.sleep(self.step_seconds)
            await response.write(f"data: {json.dumps(said)}\n\n".encode())

        if failure is Failure.GARBAGE:
            await response.write(b"data: <html>\n\n")
            return response
        keepalives = asyncio.create_task(self._keep_alive(response))  # noqa: TID251 - its own
        try:
            with suppress(ConnectionResetError):  # whoever asked went away
                await self._answer(request, path, failure, say)
        finally:
            keepalives.cancel()
        return response

    async def _keep_alive(self, response: web.StreamResponse) -> None:
        with suppress(ConnectionResetError):
            while True:
                await asyncio.sleep(self.keepalive_seconds)
                await response.write(KEEPALIVE)

    async def _answer(
        self, request: web.Request, path: str, failure: Failure | None, say: Say
    ) -> None:
        """The stream up to its end, however it ends."""
        try:
            self._admit(request, path, failure)
            await self._launch(request, path, failure, say)
            await asyncio.sleep(self.hold_seconds)
        except _Refused as refusal:
            await say(refusal.said)
        except _Closed:
            pass
        except _Cut:
            assert request.transport is not None
            request.transport.abort()

    def _admit(self, request: web.Request, path: str, failure: Failure | None) -> None:
        """Its order: banned addresses, then the token, then the rate limit."""
        address = request.headers.get("X-Forwarded-For", "").split(",")[-1].strip()
        address = address or str(request.remote)
        if failure is Failure.STATUS_403 or address in self.banned:
            raise _Refused(says.error(403, "Requests from data centers are not allowed"))
        if "text/event-stream" not in request.headers.get("Accept", ""):
            raise _Refused(says.error(400, "This endpoint only serves event streams"))
        if request.query.get("build_token"):
            if binderhub_page.is_valid(request, path, secret=self.token_secret):
                return
            raise _Refused(says.error(403, "Invalid build token"))
        self._asked_by[address] += 1
        if self.rate_limit and self._asked_by[address] > self.rate_limit:
            message = "Rate limit exceeded. Try again in 3600 seconds."
            raise _Refused(says.error(429, message))

    async def _launch(
        self, request: web.Request, path: str, failure: Failure | None, say: Say
    ) -> None:
        is_build_only = request.query.get("build_only") == "true"
        if is_build_only and not self.is_api_only:
            words = "Building but not launching is not permitted when the API only mode was not"
            raise _Refused(says.error(400, f"{words} enabled by setting `enable_api_only_mode`"))
        image = f"registry.example/binder-{path.replace('/', '-2d')}"
        is_there = path in self.images
        if is_there and not is_build_only:
            await self._say(say, says.found(image))
        elif not is_there:
            self._check_quota(failure)
            await self._follow(path, failure, say)
        if is_build_only:
            await say(says.build_only_ready(image, is_new=not is_there))
            return
        if not is_there:
            await self._say(say, says.built(image))
        self._check_quota(failure)
        await self._start_server(request, path, image, failure, say)

    def _check_quota(self, failure: Failure | None) -> None:
        is_full = self.quota is not None and self.sessions >= self.quota
        if failure is Failure.FULL or is_full:
            raise _Refused(says.failed(says.FULL))

    async def _follow(self, path: str, failure: Failure | None, say: Say) -> None:
        """Watch the build pod, which is made if there is none."""
        build = self._building.get(path)
        if build is None:
            build = self._begin(path, failure)
        seen = max(0, len(build.log) - says.LOG_TAIL_LINES)
        while True:
            changed = build.changed
            for said in build.log[seen:]:
                await say(said)
                seen += 1
                self._cut_here(failure, said)
                if said["phase"] == "failed":
                    raise _Closed
            if build.has_ended and seen >= len(build.log):
                return
            await changed.wait()

    def _cut_here(self, failure: Failure | None, said: Said) -> None:
        is_last_line = said["phase"] == "building" and f"{self.build_lines}/" in said["message"]
        if is_last_line and failure is Failure.RESET_AT_BUILDING:
            raise _Cut
        if is_last_line and failure is Failure.CLOSE_EARLY:
            raise _Closed

    def _begin(self, path: str, failure: Failure | None) -> _Build:
        build = self._building[path] = _Build()
        self.builds[path] += 1

        def ended(_task: asyncio.Task[None]) -> None:
            self._building.pop(path, None)
            build.wake()

        build.task = asyncio.create_task(self._run(build, path, failure))  # noqa: TID251 - its own
        build.task.add_done_callback(ended)
        return build

    async def _run(self, build: _Build, path: str, failure: Failure | None) -> None:
        for said in says.before_building(self.build_lines):
            await self._pause(said)
            build.add(said)
        if failure is Failure.BUILD_FAILS:
            build.add(says.failed("The requirement nosuchthing does not exist."))
            return
        if failure is Failure.SILENT:
            await asyncio.Event().wait()
        for said in says.pushing():
            await self._pause(said)
            build.add(said)
        await self._pause(says.built(path))
        self.images.add(path)

    async def _start_server(
        self, request: web.Request, path: str, image: str, failure: Failure | None, say: Say
    ) -> None:
        for said in says.launching():
            await self._say(say, said)
        self.servers[path] += 1
        self.sessions += 1
        if failure is Failure.RESET_AT_LAUNCHING:
            raise _Cut
        if failure is Failure.LAUNCH_FAILS:
            self.sessions -= 1
            raise _Refused(says.error(500, f"Image {image} for user x failed to launch"))
        launch_host = request.headers.get("X-Binder-Launch-Host", f"{self.url}/")
        ready = says.ready(
            f"{self.url}/user/x/", token="secret", image=image, launch_host=launch_host, path=path
        )
        await self._say(say, ready)

    async def _say(self, say: Say, said: Said) -> None:
        await self._pause(said)
        await say(said)

    async def _pause(self, said: Said) -> None:
        if self._hold_at == said["phase"]:
            self._is_held.set()
            await self._may_go_on.wait()
        await asyncio.sleep(self.step_seconds)
