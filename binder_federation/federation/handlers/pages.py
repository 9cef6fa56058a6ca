"""The pages' addresses: home, loading, about, badges, icons and static files.

A malformed launch link is answered with a page, not with JSON: a person followed it.
Headers are set here: a strict Content-Security-Policy on pages, no cache for pages,
a long one for files that are named by their content.
"""

from collections.abc import Sequence
from urllib.parse import quote

from aiohttp import web

from binder_federation.federation.pages.assets import Assets
from binder_federation.federation.pages.badges import draw_badge
from binder_federation.federation.pages.render import Pages
from binder_federation.runtime.errors import ServiceError
from binder_federation.runtime.web import Handler, raw_path_after


def content_security_policy(connect_to: Sequence[str] = ()) -> str:
    """What pages may load; their scripts may connect to us and to the origins `connect_to`."""
    return "; ".join(
        (
            "default-src 'self'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            " ".join(("connect-src 'self'", *connect_to)),
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


BADGE_HEADERS = {
    "Cache-Control": "public, max-age=86400",
    "Access-Control-Allow-Origin": "*",
}

FOR_GOOD = "public, max-age=31536000, immutable"

ICONS = ("favicon.svg", *(f"favicon-{s}.svg" for s in ("building", "launching", "ready", "failed")))


PAGES: web.AppKey[Pages] = web.AppKey("pages", Pages)
POLICY: web.AppKey[str] = web.AppKey("content-security-policy", str)

ANY_LAUNCH = r"/v2/{launch_path:[\s\S]*}"  # a `.` would leave out a decoded newline


def add_page_routes(app: web.Application, *, pages: Pages, connect_to: Sequence[str] = ()) -> None:
    """Serve `pages` from `app`; their scripts may also connect to the origins `connect_to`."""
    app[PAGES] = pages
    app[POLICY] = content_security_policy(connect_to)
    app.add_routes(
        [
            web.get("/", home),
            web.get("/about", about),
            web.get(r"/v2/{launch_path:[\s\S]*}", loading),
            web.get("/repo/{user}/{repository}{path:(/.*)?}", old_link),
            web.get("/static/{digest}/{name}", static_file),
            web.get("/favicon.ico", old_icon),
        ]
    )
    app.add_routes([web.get(f"/{name}", icon) for name in ICONS])
    plain, with_logo = draw_badge(), draw_badge(has_logo=True)
    for path, svg in (
        ("/badge.svg", plain),
        ("/assets/images/badge.svg", plain),
        ("/badge_logo.svg", with_logo),
    ):
        app.router.add_get(path, _badge(svg))


def _badge(svg: str) -> Handler:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(text=svg, content_type="image/svg+xml", headers=BADGE_HEADERS)

    return answer


async def home(request: web.Request) -> web.Response:
    """`GET /`"""
    return _page(request, request.app[PAGES].home(_request_url(request)))


async def about(request: web.Request) -> web.Response:
    """`GET /about`"""
    return _page(request, request.app[PAGES].about())


async def loading(request: web.Request) -> web.Response:
    """`GET /v2/<provider>/<spec>`"""
    pages = request.app[PAGES]
    try:
        return _page(request, pages.loading(raw_path_after(request, "/v2/"), _request_url(request)))
    except ServiceError as error:
        return _page(request, pages.error(error), status=error.status)


async def old_link(request: web.Request) -> web.Response:
    """`GET /repo/<user>/<repository>[/path]`: links of Binder's first year."""
    user, repository, *rest = raw_path_after(request, "/repo/").split("/", 2)
    query = f"?urlpath={quote(rest[0], safe='/%')}" if rest and rest[0] else ""
    base = request.app[PAGES].base_path
    raise web.HTTPFound(f"{base}/v2/gh/{user}/{repository}/HEAD{query}")


async def static_file(request: web.Request) -> web.Response:
    """`GET /static/<digest>/<name>`

    Another release's digest is answered with this release's file, for a page that was
    loaded while replicas are replaced; nobody may keep that.
    """
    assets = request.app[PAGES].assets
    is_ours = request.match_info["digest"] == assets.digest
    return _file(assets, request.match_info["name"], FOR_GOOD if is_ours else "no-store")


async def icon(request: web.Request) -> web.Response:
    """`GET /favicon.svg` and the icons of a launch's states."""
    return _file(request.app[PAGES].assets, request.path.lstrip("/"), "public, max-age=86400")


async def old_icon(request: web.Request) -> web.Response:
    """`GET /favicon.ico`: what browsers ask for beside an answer that is no page."""
    raise web.HTTPMovedPermanently(f"{request.app[PAGES].base_path}/favicon.svg")


def _file(assets: Assets, name: str, cache_control: str) -> web.Response:
    asset = assets.files.get(name)
    if asset is None:
        raise web.HTTPNotFound
    return web.Response(
        body=asset.content,
        content_type=asset.content_type,
        charset="utf-8",
        headers={"Cache-Control": cache_control},
    )


def _page(request: web.Request, html: str, *, status: int = 200) -> web.Response:
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": request.app[POLICY]}
    return web.Response(text=html, content_type="text/html", status=status, headers=headers)


def _request_url(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}"
