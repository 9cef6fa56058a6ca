"""The pages' addresses: home, loading, about, badges, icons and static files.

A malformed launch link is answered with a page, not with JSON: a person followed it.
Headers are set here: a strict Content-Security-Policy on pages, no cache for pages,
a long one for files that are named by their content.
"""

from collections.abc import Callable, Sequence
from urllib.parse import quote

from aiohttp import web

from binder_federation.federation.handlers.public_url import public_url
from binder_federation.federation.pages.assets import Assets
from binder_federation.federation.pages.badges import draw_badge
from binder_federation.federation.pages.old_addresses import BADGES, MOVED
from binder_federation.federation.pages.policy import content_security_policy
from binder_federation.federation.pages.render import Pages
from binder_federation.federation.previews.targets import preview_target
from binder_federation.runtime.errors import ServiceError
from binder_federation.runtime.web import Handler, raw_path_after

BADGE_HEADERS = {
    "Cache-Control": "public, max-age=86400",
    "Access-Control-Allow-Origin": "*",
}

FOR_GOOD = "public, max-age=31536000, immutable"
FOR_A_DAY = "public, max-age=86400"

ICONS = ("favicon.svg", *(f"favicon-{s}.svg" for s in ("building", "launching", "ready", "failed")))
FILES = {"/logo.svg": "mark.svg", "/logo_social.png": "logo_social.png"}
"""Static files with an address of their own, that others link to."""

SignToken = Callable[[str, web.Request], str]
"""A build token for the launch of a raw path from the page that is asked for."""

ROBOTS = """\
User-agent: *
Disallow: /build/
Disallow: /v2/
Disallow: /repo/
Disallow: /preview/
Disallow: /api/
Allow: /
"""

PAGES: web.AppKey[Pages] = web.AppKey("pages", Pages)
POLICY: web.AppKey[Callable[[], str]] = web.AppKey("content-security-policy")
SIGN: web.AppKey[SignToken] = web.AppKey("sign-page-token")

ANY_LAUNCH = r"/v2/{launch_path:[\s\S]*}"  # a `.` would leave out a decoded newline


def no_token(_raw_path: str, _request: web.Request, /) -> str:
    """Pages without build tokens."""
    return ""


def add_page_routes(
    app: web.Application,
    *,
    pages: Pages,
    connect_to: Callable[[], Sequence[str]] = tuple,
    sign: SignToken = no_token,
) -> None:
    """Serve `pages` from `app`; their scripts may also connect to the origins `connect_to()`.

    `sign` makes the token with which a launch from a page of ours is known.
    """
    app[PAGES] = pages
    app[SIGN] = sign
    app[POLICY] = lambda: content_security_policy(connect_to(), pages.settings.extra_scripts)
    app.add_routes(
        [
            web.get("/", home),
            web.get("/about", about),
            web.get("/robots.txt", robots),
            web.get(ANY_LAUNCH, loading),
            web.get("/repo/{user}/{repository}{path:(/.*)?}", old_link),
        ]
    )
    app.add_routes([web.get(path, _badge(has_logo)) for path, has_logo in BADGES.items()])
    app.add_routes([web.get(old, _moved(new)) for old, new in MOVED.items()])
    app.add_routes([web.get(f"/{name}", _own_file(name)) for name in ICONS])
    app.add_routes([web.get(path, _own_file(name)) for path, name in FILES.items()])
    app.router.add_get("/static/{digest}/{name}", static_file)


async def robots(_request: web.Request) -> web.StreamResponse:
    """`GET /robots.txt`: pages may be read; what starts something may not be followed."""
    return web.Response(text=ROBOTS, headers={"Cache-Control": "public, max-age=86400"})


def _badge(has_logo: bool) -> Handler:
    svg = draw_badge(has_logo=has_logo)

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(text=svg, content_type="image/svg+xml", headers=BADGE_HEADERS)

    return answer


def _moved(new: str) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        raise web.HTTPMovedPermanently(f"{request.app[PAGES].base_path}{new}")

    return answer


def _own_file(name: str) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        return _file(request.app[PAGES].assets, name, FOR_A_DAY)

    return answer


async def home(request: web.Request) -> web.Response:
    """`GET /`"""
    return _page(request, request.app[PAGES].home(_request_url(request)))


async def about(request: web.Request) -> web.Response:
    """`GET /about`"""
    return _page(request, request.app[PAGES].about())


async def loading(request: web.Request) -> web.Response:
    """`GET /v2/<provider>/<spec>`; a `/` at the end is left out, as by BinderHub."""
    pages = request.app[PAGES]
    raw_path = raw_path_after(request, "/v2/").rstrip("/")
    preview = preview_target(raw_path, request.query) if pages.settings.previews else ""
    try:
        html = pages.loading(
            raw_path,
            _request_url(request),
            build_token=request.app[SIGN](raw_path, request),
            preview=preview,
        )
    except ServiceError as error:
        return _page(request, pages.error(error), status=error.status)
    return _page(request, html)


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


def _file(assets: Assets, name: str, cache_control: str) -> web.Response:
    asset = assets.files.get(name)
    if asset is None:
        raise web.HTTPNotFound
    return web.Response(
        body=asset.content,
        content_type=asset.content_type,
        charset=asset.charset,
        headers={"Cache-Control": cache_control},
    )


def _page(request: web.Request, html: str, *, status: int = 200) -> web.Response:
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": request.app[POLICY]()}
    return web.Response(text=html, content_type="text/html", status=status, headers=headers)


def _request_url(request: web.Request) -> str:
    return public_url(request, None).rstrip("/")
