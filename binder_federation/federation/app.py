"""The federation as a web application."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from aiohttp import web

from binder_federation import __version__
from binder_federation.binder.forwarding import TrustedProxies
from binder_federation.config.federation import FederationSettings, LaunchMode
from binder_federation.federation.admin_tokens import AdminTokens
from binder_federation.federation.admission import add_limit_headers
from binder_federation.federation.context import CONTEXT, FederationContext
from binder_federation.federation.describe import make_describe
from binder_federation.federation.fleet import REFRESH_SECONDS
from binder_federation.federation.handlers import build, explain, members, prebuild, service
from binder_federation.federation.handlers.admin import ADMIN_TOKENS
from binder_federation.federation.handlers.joining import add_joining_routes
from binder_federation.federation.handlers.pages import add_page_routes
from binder_federation.federation.handlers.previews import add_preview_routes
from binder_federation.federation.handlers.public_url import PROXIES
from binder_federation.federation.handlers.redirect import member_origins
from binder_federation.federation.handlers.refusing import refuse_banned_networks
from binder_federation.federation.handlers.status import add_status_routes
from binder_federation.federation.handlers.steering.routes import add_steering_routes
from binder_federation.federation.history.history import TURN_SECONDS
from binder_federation.federation.pages.making import make_pages
from binder_federation.federation.prebuilds.records import WRITE_EVERY_SECONDS
from binder_federation.federation.previews.wiring import open_previews
from binder_federation.federation.wiring import open_context
from binder_federation.runtime.bodies import add_body_limits
from binder_federation.runtime.cors import CORS, CorsPolicy, make_cors_signal
from binder_federation.runtime.web import (
    add_security_headers,
    edge_middleware,
    make_counting_signal,
)

SMALL_BYTES = 64 * 1024
TIDY_SECONDS = 5.0
VOTE_SECONDS = 5.0
FIRST_ROUND_SECONDS = 2.0
PATIENCE_SECONDS = 10.0
"""The first event of a launch comes at once; a page that sees none for so long asks anew."""
REDIRECT_PATIENCE_SECONDS = 30.0
"""A member's own first event may wait for its repo provider."""
ANY_LAUNCH = r"/build/{path:[\s\S]*}"  # a `.` would leave out a decoded newline
ANY_EXPLANATION = r"/api/admin/explain/{path:[\s\S]*}"


async def create_app(settings: FederationSettings) -> web.Application:
    """The application for `settings`; it owns what it opens until it is cleaned up."""
    app = web.Application(
        middlewares=[edge_middleware, refuse_banned_networks],
        client_max_size=SMALL_BYTES,  # handlers read with limits of their own (runtime/bodies.py)
    )
    async with AsyncExitStack() as opened:
        context = await opened.enter_async_context(open_context(settings))
        _fill(app, context)
        if settings.pages.enabled and settings.pages.previews:
            add_preview_routes(app, await opened.enter_async_context(open_previews(context)))
        app.on_cleanup.append(_closing(opened.pop_all()))
    return app


def _fill(app: web.Application, context: FederationContext) -> None:
    settings = context.settings
    app[CONTEXT] = context
    add_body_limits(app)
    app[PROXIES] = TrustedProxies(settings.trusted_proxies, settings.forwarded_headers)
    app[ADMIN_TOKENS] = AdminTokens(settings.admin)
    app[CORS] = CorsPolicy(settings.cors.named)
    app.on_response_prepare.append(add_security_headers)
    app.on_response_prepare.append(add_limit_headers)
    app.on_response_prepare.append(make_counting_signal(context.metrics.responses))
    app.on_response_prepare.append(make_cors_signal(app[CORS], prefix="/build"))
    app.on_startup.append(_start_loops)
    app.on_shutdown.append(_release_launches)
    _add_api_routes(app)
    add_status_routes(
        app,
        context.status,
        site_name=settings.pages.site_name,
        public_url=settings.public_url,
        has_page=settings.pages.enabled,
    )
    if settings.pages.enabled:
        _add_pages(app, context, redirects=settings.launch.mode is LaunchMode.REDIRECT)


def _add_pages(app: web.Application, context: FederationContext, *, redirects: bool) -> None:
    settings = context.settings
    pages = make_pages(
        settings.pages,
        describe=make_describe(context.repositories),
        providers=context.repositories.displays(),
        version=__version__,
        public_url=settings.public_url,
        example=settings.example,
        redirects=redirects,
        patience_seconds=REDIRECT_PATIENCE_SECONDS if redirects else PATIENCE_SECONDS,
    )
    add_page_routes(
        app,
        pages=pages,
        connect_to=(lambda: member_origins(context.roster)) if redirects else tuple,
        sign=lambda raw_path, request: context.admission.page_token(request, raw_path),
    )


def _add_api_routes(app: web.Application) -> None:
    app.router.add_get(ANY_LAUNCH, build.build, allow_head=False)
    app.router.add_head(ANY_LAUNCH, build.check)
    app.router.add_route("OPTIONS", ANY_LAUNCH, build.preflight)
    app.router.add_get("/active_hosts", members.list_active_hosts)
    app.router.add_get("/api/members", members.list_members)
    app.router.add_post("/api/members/{name}/report", members.take_report)
    add_joining_routes(app)
    app.router.add_get(ANY_EXPLANATION, explain.explain)
    add_steering_routes(app)
    app.router.add_post("/api/builds", prebuild.begin)
    app.router.add_get("/api/builds/{id}", prebuild.tell)
    app.router.add_get("/api/repoproviders", service.repo_providers)
    app.router.add_get("/api/openapi.json", service.openapi)
    app.router.add_get("/health", service.health)
    app.router.add_get("/versions", service.versions)
    app.router.add_get("/metrics", service.metrics)


async def _hear_of_members(context: FederationContext) -> None:
    """What members said to other replicas lately: a replica that starts knows their load."""
    for body in (await context.shared.last_reports.load_all()).values():
        context.reports.hear(body, now=context.clock())


async def _start_loops(app: web.Application) -> None:
    context = app[CONTEXT]
    await context.limits.start(context.tasks)
    await context.applying.start()
    context.member_watch.start()
    await _hear_of_members(context)
    run_periodically = context.tasks.run_periodically

    async def vote() -> None:
        context.shared.votes.publish(context.monitor.verdicts())

    async def refresh_fleet() -> None:
        context.fleet.refresh(now=context.clock())

    run_periodically(context.launches.tidy, every_seconds=TIDY_SECONDS, name="tidy-launches")
    run_periodically(
        context.prebuilds.tidy, every_seconds=WRITE_EVERY_SECONDS, name="tidy-prebuilds"
    )
    run_periodically(context.history.turn, every_seconds=TURN_SECONDS, name="history")
    run_periodically(vote, every_seconds=VOTE_SECONDS, name="vote")
    run_periodically(refresh_fleet, every_seconds=REFRESH_SECONDS / 2, name="refresh-fleet")
    if context.settings.copies.enabled:
        every_seconds = context.settings.copies.check_every_seconds
        run_periodically(context.copies.check, every_seconds=every_seconds, name="copy-hot-images")
    # Who can connect finds a replica that knows its members, as one does that replaces another.
    await context.monitor.wait_for_first_round(timeout_seconds=FIRST_ROUND_SECONDS)


async def _release_launches(app: web.Application) -> None:
    """Before the streams are closed: other replicas go on with the launches."""
    await app[CONTEXT].launches.release()
    await app[CONTEXT].history.settle()


def _closing(resources: AsyncExitStack) -> Callable[[web.Application], Awaitable[None]]:
    async def close(_app: web.Application) -> None:
        await resources.aclose()

    return close
