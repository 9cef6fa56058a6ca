"""`/status`, `/api/status` and `/status.atom`: how the federation is, for everybody.

All three are the same report (`status/board.py`). An `ETag` lets whoever asks again have
nothing (304) while nothing has changed; the page's own script asks like that.
"""

from aiohttp import web

from binder_federation.federation.handlers.pages import PAGES, POLICY
from binder_federation.federation.handlers.public_url import public_url
from binder_federation.federation.status.atom import make_feed
from binder_federation.federation.status.board import StatusBoard

HEADERS = {"Cache-Control": "public, max-age=1", "Access-Control-Allow-Origin": "*"}

BOARD: web.AppKey[StatusBoard] = web.AppKey("status-board", StatusBoard)
SITE: web.AppKey[tuple[str, str | None]] = web.AppKey("status-site")
"""The site's name, and its public URL if the settings say it."""


def add_status_routes(
    app: web.Application,
    board: StatusBoard,
    *,
    site_name: str,
    public_url: str | None,
    has_page: bool,
) -> None:
    """Serve the report; the page only where there are pages."""
    app[BOARD] = board
    app[SITE] = (site_name, public_url)
    app.router.add_get("/api/status", status)
    app.router.add_get("/status.atom", feed)
    if has_page:
        app.router.add_get("/status", page)


async def status(request: web.Request) -> web.Response:
    """`GET /api/status`: the report as JSON."""
    shown = request.app[BOARD].show()
    return _answer(request, shown.body, "application/json", etag=shown.etag)


async def feed(request: web.Request) -> web.Response:
    """`GET /status.atom`: incidents and maintenance of the last 90 days."""
    shown = request.app[BOARD].show()
    site_name, configured = request.app[SITE]
    site_url = public_url(request, configured).rstrip("/")
    body = make_feed(shown.report, site_name=site_name, site_url=site_url)
    answer = _answer(request, body, "application/atom+xml", etag=shown.etag)
    if configured is None:
        # Its links are under the name that was asked for: nobody else's cache may have that.
        answer.headers.update({"Cache-Control": "private, no-cache", "Vary": "Host"})
    return answer


async def page(request: web.Request) -> web.Response:
    """`GET /status`: the report as a page."""
    shown = request.app[BOARD].show()
    pages = request.app[PAGES]
    etag = f'{shown.etag[:-1]}-{pages.assets.digest[:8]}"'
    if _is_known(request, etag):
        return _not_modified(etag, {"Cache-Control": "no-cache"})
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": request.app[POLICY](),
        "ETag": etag,
    }
    html = request.app[BOARD].page(shown, pages.status)
    return web.Response(text=html, content_type="text/html", headers=headers)


def _answer(request: web.Request, body: bytes, content_type: str, *, etag: str) -> web.Response:
    if _is_known(request, etag):
        return _not_modified(etag, HEADERS)
    return web.Response(
        body=body,
        content_type=content_type,
        charset="utf-8",
        headers={**HEADERS, "ETag": etag},
    )


def _not_modified(etag: str, headers: dict[str, str]) -> web.Response:
    return web.Response(status=304, headers={**headers, "ETag": etag})


def _is_known(request: web.Request, etag: str) -> bool:
    """Whether the asker has this already; compared weakly, as RFC 9110 says for GET."""
    given = request.headers.get("If-None-Match", "")
    known = {each.strip().removeprefix("W/") for each in given.split(",")}
    return etag.removeprefix("W/") in known or given.strip() == "*"
