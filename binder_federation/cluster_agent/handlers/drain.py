"""`/api/drain`: the institution's own switch. `GET` tells, `PUT` begins, `DELETE` ends.

Whoever has the member's credential may use it: `binderfed-agent drain` reads it from the
agent's own settings.
"""

import hmac
from typing import ClassVar

from aiohttp import web

from binder_federation.binder.errors import NotAuthorized
from binder_federation.cluster_agent.context import CONTEXT, AgentContext
from binder_federation.runtime.bodies import read_body
from binder_federation.runtime.bounded import read_json
from binder_federation.runtime.errors import Fault, ServiceError
from binder_federation.runtime.web import json_ok

MOST_BYTES = 16 * 1024


class InvalidDrain(ServiceError):
    """The body does not say why."""

    code: ClassVar[str] = "invalid_drain"
    status: ClassVar[int] = 400
    fault: ClassVar[Fault] = Fault.REQUEST


async def tell(request: web.Request) -> web.Response:
    """`GET`: whether it drains, and how many sessions are left."""
    return _answer(_authorized(request))


async def begin(request: web.Request) -> web.Response:
    """`PUT` with `{"reason": "…"}`, which may be left out."""
    context = _authorized(request)
    context.draining.begin(await _reason(request))
    return _answer(context)


async def end(request: web.Request) -> web.Response:
    """`DELETE`."""
    context = _authorized(request)
    context.draining.end()
    return _answer(context)


def _authorized(request: web.Request) -> AgentContext:
    context = request.app[CONTEXT]
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    known = [
        hmac.compare_digest(given.encode(), each.encode()) for each in context.identity.accepted
    ]
    if scheme.lower() != "bearer" or not any(known):
        raise NotAuthorized(
            "Draining is for this member's own operator.",
            advice="Send the member's credential in the header Authorization: Bearer ….",
        )
    return context


def _answer(context: AgentContext) -> web.Response:
    drain = context.draining.current
    usage = context.sessions.usage()
    return json_ok(
        {
            "draining": drain is not None,
            "reason": drain.reason if drain else "",
            "sessions": usage.total,
        }
    )


async def _reason(request: web.Request) -> str:
    try:
        body = read_json(await read_body(request, most_bytes=MOST_BYTES) or b"{}")
    except ValueError as error:
        raise InvalidDrain("The body is not JSON.") from error
    reason = body.get("reason", "") if isinstance(body, dict) else None
    if not isinstance(reason, str):
        raise InvalidDrain("The body is an object whose `reason` is a text, or empty.")
    return reason
