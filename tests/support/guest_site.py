"""Somebody else's web site: a page of another origin that launches with what browsers have.

It is at `localhost`, and what it launches from at `127.0.0.1`: to a browser those are two sites.
It serves npm packages as the modules that they are, for a page that imports one.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer

PAGE = """<!doctype html><html lang="en"><title>A book</title><link rel="icon" href="data:,">
<script type="importmap">{"imports": {
  "@jupyterhub/binderhub-client/": "/packages/@jupyterhub/binderhub-client/lib/",
  "@microsoft/fetch-event-source": "/packages/@microsoft/fetch-event-source/lib/esm/index.js",
  "event-iterator": "/event-iterator.js"
}}</script><h1>A book</h1>"""

COMMON_JS = """const exports = {};
const require = () => parts;
const parts = {};
(function (exports) { %s })(parts);
(function (exports) { %s })(exports);
export const EventIterator = exports.EventIterator;
"""
"""What a bundler makes of `event-iterator`, which is no module of a browser's."""


def _make_app(packages: Path | None, html: str) -> web.Application:
    async def page(_request: web.Request) -> web.Response:
        return web.Response(text=html, content_type="text/html")

    async def package(request: web.Request) -> web.Response:
        assert packages is not None
        path = packages / request.match_info["path"]
        path = path if path.suffix else path.with_suffix(".js")
        return web.Response(text=path.read_text(), content_type="text/javascript")

    async def event_iterator(_request: web.Request) -> web.Response:
        assert packages is not None
        folder = packages / "event-iterator" / "lib"
        both = tuple((folder / name).read_text() for name in ("event-iterator.js", "dom.js"))
        return web.Response(text=COMMON_JS % both, content_type="text/javascript")

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/packages/{path:.+}", package)
    app.router.add_get("/event-iterator.js", event_iterator)
    return app


@asynccontextmanager
async def guest_site(packages: Path | None = None, *, html: str = PAGE) -> AsyncIterator[str]:
    """The address of its one page; `packages` is a `node_modules`."""
    server = TestServer(_make_app(packages, html), host="127.0.0.1")
    await server.start_server(shutdown_timeout=1)
    try:
        yield f"http://localhost:{server.port}/"
    finally:
        await server.close()
