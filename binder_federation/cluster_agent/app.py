"""The cluster agent as a web application.

The stack is started before the application listens: who can connect finds a
member that can work, and an agent whose stack does not start says why and ends.
"""

from collections.abc import AsyncIterator, Callable

from aiohttp import web

from binder_federation.binder.joining import STREAM_TEST_PATH
from binder_federation.cluster_agent import housekeeping, inventory, removal
from binder_federation.cluster_agent.context import CONTEXT, AgentContext, open_context
from binder_federation.cluster_agent.handlers import build, drain, service, stream_test
from binder_federation.cluster_agent.stacks.base import Stack
from binder_federation.cluster_agent.warm import pool
from binder_federation.config.agent import AgentSettings
from binder_federation.runtime.bodies import add_body_limits
from binder_federation.runtime.cors import CORS, CorsPolicy, make_cors_signal
from binder_federation.runtime.web import (
    add_security_headers,
    edge_middleware,
)

LIST_SESSIONS_EVERY_SECONDS = 3.0
CLEAN_UP_SECONDS = 4.0
"""What stopping leaves for removing the hub's users."""
ANY_LAUNCH = r"/build/{path:[\s\S]*}"  # a `.` would leave out a decoded newline


def create_app(settings: AgentSettings, *, stack: Stack | None = None) -> web.Application:
    """The application for `settings`, on `stack` or the one that they name."""
    app = web.Application(middlewares=[edge_middleware])
    add_body_limits(app)
    app[CORS] = CorsPolicy()
    app.on_response_prepare.append(add_security_headers)
    app.on_response_prepare.append(make_cors_signal(app[CORS], prefix="/build"))
    app.cleanup_ctx.append(_context_of(settings, stack))
    app.on_shutdown.append(_stop_launches)
    app.router.add_get(ANY_LAUNCH, build.build, allow_head=False)
    app.router.add_head(ANY_LAUNCH, build.check)
    app.router.add_delete(ANY_LAUNCH, build.dismiss)
    app.router.add_route("OPTIONS", ANY_LAUNCH, build.preflight)
    app.router.add_get("/api/drain", drain.tell)
    app.router.add_put("/api/drain", drain.begin)
    app.router.add_delete("/api/drain", drain.end)
    app.router.add_get("/health", service.health)
    app.router.add_get("/versions", service.versions)
    app.router.add_get("/metrics", service.metrics)
    app.router.add_get(STREAM_TEST_PATH, stream_test.stream, allow_head=False)
    app.router.add_get("/api/repoproviders", service.repo_providers)
    app.router.add_get("/api/openapi.json", service.openapi)
    return app


def _context_of(
    settings: AgentSettings, stack: Stack | None
) -> Callable[[web.Application], AsyncIterator[None]]:
    async def provide(app: web.Application) -> AsyncIterator[None]:
        async with open_context(settings, stack) as context:
            app[CONTEXT] = context
            await _start_loops(context)
            yield

    return provide


async def _start_loops(context: AgentContext) -> None:
    """First passes in the foreground: reports and quotas begin with what is true."""
    await context.sessions.refresh()
    await context.inventory.read()
    context.warm.tend()
    tasks = context.tasks
    tidy = housekeeping.make_housekeeping(stack=context.stack, sessions=context.sessions)
    for action, seconds, name in (
        (context.sessions.refresh, LIST_SESSIONS_EVERY_SECONDS, "list-sessions"),
        (context.inventory.read, inventory.READ_EVERY_SECONDS, "read-inventory"),
        (context.warm.check, pool.TEND_EVERY_SECONDS, "tend-warm-servers"),
        (context.removals.reap, removal.REAP_EVERY_SECONDS, "reap-users"),
        (tidy, housekeeping.TIDY_EVERY_SECONDS, "tidy"),
        (context.culling.look, context.settings.launch.cull_every_seconds, "cull-servers"),
    ):
        tasks.run_periodically(action, every_seconds=seconds, name=name)
    joiner = context.membership.joiner
    if joiner is not None:
        tasks.start(joiner.run(), name="join")
    if joiner is not None or context.identity.federation_url is not None:
        context.inventory.on_change(context.reporter.report_soon)
        context.draining.on_change(context.reporter.report_soon)
        context.warm.on_change(context.reporter.report_soon)
        tasks.start(context.reporter.run(), name="report")


async def _stop_launches(app: web.Application) -> None:
    """While the hub still runs: end launches and warm servers, and give that its time."""
    context = app[CONTEXT]
    await context.streams.stop()
    await context.warm.stop()
    await context.removals.wait(timeout_seconds=CLEAN_UP_SECONDS)
