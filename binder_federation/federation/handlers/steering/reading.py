"""`/api/admin/steering` and `/api/admin/audit`: what is in force, and who did what."""

from aiohttp import web

from binder_federation.config.admin import Scope
from binder_federation.federation.context import CONTEXT
from binder_federation.federation.handlers.admin import check_admin
from binder_federation.federation.handlers.steering.attempts import answer
from binder_federation.federation.orders.describe import describe_steering
from binder_federation.federation.orders.errors import InvalidOrder
from binder_federation.runtime.web import json_ok

USUAL_ENTRIES = 100
MOST_ENTRIES = 10_000


async def steering(request: web.Request) -> web.Response:
    """`GET /api/admin/steering`: every live order beside the settings' values."""
    check_admin(request, Scope.READ)
    context = request.app[CONTEXT]
    document = context.steering.current
    configured = {member.name: member for member in context.settings.members}
    told = describe_steering(configured, document, context.clock())
    stale = round(max(0.0, context.steering.stale_seconds()), 1)
    return answer({**told, "stale_seconds": stale}, revision=document.revision)


async def audit(request: web.Request) -> web.Response:
    """`GET /api/admin/audit?limit=`: the last changes and refused attempts, latest first."""
    check_admin(request, Scope.AUDIT)
    entries = await request.app[CONTEXT].steering.audit(_limit(request))
    return json_ok({"entries": [entry.model_dump() for entry in entries]})


def _limit(request: web.Request) -> int:
    given = request.query.get("limit", str(USUAL_ENTRIES))
    is_number = given.isascii() and given.isdigit() and len(given) < 7
    if not is_number or not 1 <= int(given) <= MOST_ENTRIES:
        raise InvalidOrder(f"limit must be a number from 1 to {MOST_ENTRIES}.")
    return int(given)
