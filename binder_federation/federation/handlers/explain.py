"""`/api/admin/explain/<provider>/<spec>`: where a launch would go now, and why."""

from aiohttp import web

from binder_federation.config.admin import Scope
from binder_federation.federation.context import CONTEXT
from binder_federation.federation.explain import describe
from binder_federation.federation.handlers.admin import check_admin
from binder_federation.runtime.web import json_ok, raw_path_after

PREFIX = "/api/admin/explain/"


async def explain(request: web.Request) -> web.Response:
    """`GET`: nothing is launched, leased or counted; the ref is looked up."""
    check_admin(request, Scope.EXPLAIN)
    context = request.app[CONTEXT]
    spec = context.repositories.parse(raw_path_after(request, PREFIX))
    resolved = await context.resolver.resolve(spec)
    return json_ok(describe(await context.placing.preview(resolved), resolved))
