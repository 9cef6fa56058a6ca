"""The pages' addresses: home, loading, about, badges, icons and static files.

A malformed launch link is answered with a page, not with JSON: a person followed it.
Headers are set here: a strict Content-Security-Policy on pages, no cache for pages,
a long one for files that are named by their content.
"""

from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

from binder_federation.federation.pages.badges import draw_badge
from binder_federation.federation.pages.render import Pages
from binder_federation.runtime.errors import ServiceError
from binder_federation.runtime.web import raw_path_after

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
}

BADGE_HEADERS = {
    "Cache-Control": "public, max-age=86400",
    "Access-Control-Allow-Origin": "*",
}

FOR_GOOD = "public, max-age=31536000, immutable"

ICONS = ("favicon.svg", *(f"favicon-{s}.svg" for s in ("building", "launching", "ready", "failed")))


def add_page_routes(app: web.Application, *, pages: Pages) -> None:
    """Serve `pages` from `app`."""
    handlers = PageHandlers(pages)
    app.add_routes(
        [
            web.get("/", handlers.home),
            web.get("/about", handlers.about),
            web.get("/v2/{launch_path:.*}", handlers.loading),
            web.get("/repo/{user}/{repository}{path:(/.*)?}", handlers.old_link),
            web.get("/static/{digest}/{name}", handlers.static),
            web.get("/favicon.ico", handlers.old_icon),
        ]
    )
    app.add_routes([web.get(f"/{name}", handlers.icon) for name in ICONS])
    plain, with_logo = draw_badge(), draw_badge(has_logo=True)
    for path, svg in (
        ("/badge.svg", plain),
        ("/assets/images/badge.svg", plain),
        ("/badge_logo.svg", with_logo),
    ):
        app.router.add_get(path, _Badge(svg))


@dataclass(frozen=True, slots=True)
class _Badge:
    """Answers with one badge."""

    svg: str

    async def __call__(self, _request: web.Request) -> web.Response:
        return web.Response(text=self.svg, content_type="image/svg+xml", headers=BADGE_HEADERS)


@dataclass(frozen=True, slots=True)
class PageHandlers:
    """One method per address."""

    pages: Pages

    async def home(self, request: web.Request) -> web.Response:
        """`GET /`"""
        return _page(self.pages.home(_request_url(request)))

    async def about(self, _request: web.Request) -> web.Response:
        """`GET /about`"""
        return _page(self.pages.about())

    async def loading(self, request: web.Request) -> web.Response:
        """`GET /v2/<provider>/<spec>`"""
        raw_path = raw_path_after(request, "/v2/")
        try:
            return _page(self.pages.loading(raw_path, _request_url(request)))
        except ServiceError as error:
            return _page(self.pages.error(error), status=error.status)

    async def old_link(self, request: web.Request) -> web.Response:
        """`GET /repo/<user>/<repository>[/path]`: links of Binder's first year."""
        user, repository, *rest = raw_path_after(request, "/repo/").split("/", 2)
        query = f"?urlpath={quote(rest[0], safe='/%')}" if rest and rest[0] else ""
        location = f"{self.pages.base_path}/v2/gh/{user}/{repository}/HEAD{query}"
        raise web.HTTPFound(location)

    async def static(self, request: web.Request) -> web.Response:
        """`GET /static/<digest>/<name>`

        Another release's digest is answered with this release's file, for a page that was
        loaded while replicas are replaced; nobody may keep that.
        """
        is_ours = request.match_info["digest"] == self.pages.assets.digest
        return self._file(request.match_info["name"], FOR_GOOD if is_ours else "no-store")

    async def icon(self, request: web.Request) -> web.Response:
        """`GET /favicon.svg` and the icons of a launch's states."""
        return self._file(request.path.lstrip("/"), "public, max-age=86400")

    async def old_icon(self, _request: web.Request) -> web.Response:
        """`GET /favicon.ico`: what browsers ask for beside an answer that is no page."""
        raise web.HTTPMovedPermanently(f"{self.pages.base_path}/favicon.svg")

    def _file(self, name: str, cache_control: str) -> web.Response:
        asset = self.pages.assets.files.get(name)
        if asset is None:
            raise web.HTTPNotFound
        return web.Response(
            body=asset.content,
            content_type=asset.content_type,
            charset="utf-8",
            headers={"Cache-Control": cache_control},
        )


def _page(html: str, *, status: int = 200) -> web.Response:
    return web.Response(text=html, content_type="text/html", status=status, headers=PAGE_HEADERS)


def _request_url(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}"
