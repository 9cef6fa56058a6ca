"""A federation whose launches say what a test tells them to.

It serves the real pages and answers the rest itself: `/build/…` is a real event stream
whose events the test sends one by one, with ids, resumption by `Last-Event-ID`, cut
connections and refusals. `/user/…` stands for the server that a launch ends at.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from aiohttp import web
from aiohttp.test_utils import TestServer

from binder_federation.binder.events import Event, Phase, encode_event
from binder_federation.binder.providers import Repositories, make_providers
from binder_federation.config.pages import PageSettings
from binder_federation.config.providers import ProviderSettings
from binder_federation.federation.describe import make_describe
from binder_federation.federation.handlers.pages import add_page_routes
from binder_federation.federation.handlers.status import add_status_routes
from binder_federation.federation.pages.making import make_pages
from binder_federation.federation.previews.document import make_document
from binder_federation.federation.status.board import StatusBoard
from binder_federation.federation.status.report import StatusReport
from binder_federation.federation.status.sample import sample_report
from binder_federation.runtime.web import edge_middleware

DEADLINE_SECONDS = 10.0

REPOSITORIES = Repositories(make_providers(ProviderSettings(), httpx.AsyncClient()))
"""The real providers; nothing here asks them for more than their grammar."""

PROVIDERS = REPOSITORIES.displays()

describe = make_describe(REPOSITORIES)

MEMBERS: tuple[dict[str, Any], ...] = (
    {"name": "alpha", "state": "up", "load": {"capacity": 8, "running": 2, "pending": 0}},
    {"name": "beta", "state": "recovering", "load": {"capacity": 8, "running": 0, "pending": 1}},
    {"name": "gamma", "state": "down", "load": None},
)


@dataclass
class ScriptedLaunch:
    """One launch, as the test sees it."""

    id: str
    path: str
    """What was asked for after `/build/`."""
    query: dict[str, str]
    events: list[Event] = field(default_factory=list)
    resumed_after: list[int] = field(default_factory=list)
    """The event number that each reconnection said it had seen."""
    watchers: set[web.StreamResponse] = field(default_factory=set)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    connection: int = 0

    async def say(self, phase: Phase, message: str = "", **fields: Any) -> None:
        """Send one event to whoever watches, now or later."""
        line = f"{message}\n" if message else ""
        self.events.append(Event(phase, line, fields))
        await self._wake()

    async def say_again(self, number: int) -> None:
        """Send an event that was sent before, under its own id."""
        for watcher in list(self.watchers):
            await watcher.write(encode_event(self.events[number], f"{self.id}:{number}"))

    async def hang_up(self) -> None:
        """Cut the connections of those who watch."""
        self.connection += 1
        await self._wake()

    async def wait_beyond(self, seen: int, connection: int) -> None:
        """Return when there is an event after `seen`, or `connection` was cut."""
        async with self.changed:
            await self.changed.wait_for(
                lambda: len(self.events) > seen + 1 or self.connection != connection
            )

    async def _wake(self) -> None:
        async with self.changed:
            self.changed.notify_all()


class ScriptedFederation:
    """The server. `url` has no trailing `/`."""

    def __init__(self) -> None:
        self.url = ""
        self.members: list[dict[str, Any]] = list(MEMBERS)
        self.report: Callable[[float], StatusReport] = sample_report
        """What the status page tells; a test may change it."""
        self._launches: dict[str, ScriptedLaunch] = {}
        self._begun: asyncio.Queue[ScriptedLaunch] = asyncio.Queue()
        self._refusals: list[int] = []
        self.refused = 0
        self.token = ""
        """The build token that loading pages get."""
        self.previews: dict[str, str] = {}
        """HTML by the path of a file, as it is put into the document of a preview."""
        self.previews_asked: list[str] = []
        self._is_closing = False
        self._closing = asyncio.Event()
        self.answers = asyncio.Event()
        """Cleared by a test, it lets requests for event streams wait for their answer."""
        self.answers.set()
        self.unanswered = 0
        """How many requests for event streams wait for their answer, or for an event."""
        self.says_nothing = False
        """Set by a test, it has event streams begin and bring nothing."""

    async def next_launch(self) -> ScriptedLaunch:
        """The next launch that a page begins; TimeoutError if none does."""
        return await asyncio.wait_for(self._begun.get(), DEADLINE_SECONDS)

    @property
    def launches_begun(self) -> int:
        """How many there were."""
        return len(self._launches)

    def refuse_next(self, status: int) -> None:
        """Answer one further request for an event stream with `status` and no stream."""
        self._refusals.append(status)

    def make_app(
        self, *, example: str | None = None, settings: PageSettings | None = None
    ) -> web.Application:
        """The application, with the real pages."""
        app = web.Application(middlewares=[edge_middleware])
        pages = make_pages(
            settings or PageSettings(),
            describe=describe,
            providers=PROVIDERS,
            version="0.0.0",
            example=example,
        )
        add_page_routes(app, pages=pages, sign=lambda _raw_path, _request: self.token)
        board = StatusBoard(gather=lambda now: self.report(now), clock=time.time)
        add_status_routes(
            app, board, site_name=pages.settings.site_name, public_url=None, has_page=True
        )
        app.router.add_get("/build/{path:.*}", self._build)
        app.router.add_get("/preview/{path:.*}", self._preview)
        app.router.add_get("/api/members", self._list_members)
        app.router.add_get("/user/{path:.*}", self._notebook)
        return app

    async def close(self) -> None:
        """End the streams, so that the server can stop at once."""
        self._is_closing = True
        self._closing.set()
        self.answers.set()
        for launch in self._launches.values():
            await launch.hang_up()

    async def _preview(self, request: web.Request) -> web.Response:
        """The real document around what the test gave for the file."""
        path = request.query["path"]
        self.previews_asked.append(path)
        html = self.previews.get(path)
        if html is None:
            return web.Response(status=204)
        document = make_document()
        return web.Response(
            body=document.wrap(path, html.encode()),
            content_type="text/html",
            headers={"Content-Security-Policy": document.policy},
        )

    async def _list_members(self, _request: web.Request) -> web.Response:
        return web.json_response({"members": self.members})

    async def _notebook(self, request: web.Request) -> web.Response:
        return web.Response(
            text="<!doctype html><html lang=en><title>Notebook</title>"
            '<link rel="icon" href="data:,"><h1>A notebook server</h1>',
            content_type="text/html",
        )

    async def _build(self, request: web.Request) -> web.StreamResponse:
        self.unanswered += 1
        await self.answers.wait()
        if request.transport is None:
            raise ConnectionResetError("the page went away")
        if self.says_nothing:
            return await self._begin_and_say_nothing(request)
        self.unanswered -= 1
        if self._refusals:
            self.refused += 1
            return web.Response(status=self._refusals.pop(0))
        launch, seen = self._resume(request) or self._begin(request)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"retry: 50\n\n")
        await self._tell(launch, response, seen)
        return response

    async def _begin_and_say_nothing(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await self._closing.wait()
        return response

    async def _tell(self, launch: ScriptedLaunch, response: web.StreamResponse, seen: int) -> None:
        connection = launch.connection
        launch.watchers.add(response)
        try:
            while launch.connection == connection and not self._is_closing:
                for number in range(seen + 1, len(launch.events)):
                    seen = number
                    await response.write(encode_event(launch.events[number], f"{launch.id}:{seen}"))
                await launch.wait_beyond(seen, connection)
        except ConnectionResetError:
            pass  # the page went away, as pages do
        finally:
            launch.watchers.discard(response)

    def _begin(self, request: web.Request) -> tuple[ScriptedLaunch, int]:
        launch = ScriptedLaunch(
            id=f"launch{len(self._launches) + 1}",
            path=request.raw_path.partition("?")[0].removeprefix("/build/"),
            query=dict(request.query),
        )
        self._launches[launch.id] = launch
        self._begun.put_nowait(launch)
        return launch, -1

    def _resume(self, request: web.Request) -> tuple[ScriptedLaunch, int] | None:
        given = request.headers.get("Last-Event-ID") or request.query.get("last_event_id", "")
        launch_id, _, number = given.rpartition(":")
        launch = self._launches.get(launch_id)
        if launch is None:
            return None
        launch.resumed_after.append(int(number))
        return launch, int(number)


@asynccontextmanager
async def scripted_federation(
    *, example: str | None = None, settings: PageSettings | None = None
) -> AsyncIterator[ScriptedFederation]:
    """A running one, on a free port of this machine."""
    federation = ScriptedFederation()
    server = TestServer(federation.make_app(example=example, settings=settings))
    await server.start_server(shutdown_timeout=1)
    federation.url = str(server.make_url("")).rstrip("/")
    try:
        yield federation
    finally:
        await federation.close()
        await server.close()
