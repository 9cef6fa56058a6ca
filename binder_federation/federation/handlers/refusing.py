"""Visitors from banned networks get no page, as at BinderHub. `/build` checks by itself.

Exempt is what no visitor launches with: what load balancers, other federations and
Prometheus ask, members' reports, the API of operators, and static files.
"""

from aiohttp import web

from binder_federation.binder.errors import NetworkBanned
from binder_federation.federation.context import CONTEXT
from binder_federation.federation.handlers.pages import PAGES, POLICY
from binder_federation.runtime.web import Handler

PAGE_PREFIXES = ("/v2/", "/repo/")
PAGE_PATHS = frozenset(("/", "/about"))


@web.middleware
async def refuse_banned_networks(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a page's request from a banned network with a page that says so."""
    path = request.path
    if path in PAGE_PATHS or path.startswith(PAGE_PREFIXES):
        try:
            request.app[CONTEXT].admission.check_address(request)
        except NetworkBanned as error:
            if PAGES not in request.app:
                raise
            return web.Response(
                text=request.app[PAGES].error(error),
                content_type="text/html",
                status=error.status,
                headers={
                    "Cache-Control": "no-store",
                    "Content-Security-Policy": request.app[POLICY](),
                },
            )
    return await handler(request)
