"""`/api/join`: an institution's agent joins, looks at its checklist, and leaves."""

from aiohttp import web
from pydantic import ValidationError

from binder_federation.binder.joining import CHECKS_PATH, JOIN_PATH, LEAVE_PATH, JoinRequest
from binder_federation.federation.context import CONTEXT, FederationContext
from binder_federation.federation.joining.errors import InvalidJoinRequest
from binder_federation.federation.joining.signatures import authenticate_request
from binder_federation.federation.roster import Member
from binder_federation.runtime.bodies import read_body
from binder_federation.runtime.web import json_ok

MOST_BYTES = 16 * 1024


def add_joining_routes(app: web.Application) -> None:
    """The routes of agents that join."""
    app.router.add_post(JOIN_PATH, join)
    app.router.add_get(CHECKS_PATH, tell_checks, allow_head=False)
    app.router.add_post(CHECKS_PATH, make_checks)
    app.router.add_post(LEAVE_PATH, leave)


async def join(request: web.Request) -> web.Response:
    """`POST /api/join`: an invitation's token for a membership."""
    body = await read_body(request, most_bytes=MOST_BYTES)
    reply = await request.app[CONTEXT].joining.join(_parse(body))
    return json_ok(reply.to_body(), status=201)


async def tell_checks(request: web.Request) -> web.Response:
    """`GET /api/join/checks`: the checklist of the member that asks."""
    context, member = _member(request)
    checks = await context.joining.admissions.tell(member)
    return json_ok(checks.model_dump(mode="json", exclude_none=True))


async def make_checks(request: web.Request) -> web.Response:
    """`POST /api/join/checks`: make the checks again, now."""
    context, member = _member(request)
    checks = await context.joining.admissions.restart(member)
    return json_ok(checks.model_dump(mode="json", exclude_none=True), status=202)


async def leave(request: web.Request) -> web.Response:
    """`POST /api/join/leave`: the member is drained, and gone when its sessions have ended."""
    context, member = _member(request)
    await context.joining.leave(member)
    return json_ok({"name": member.name, "state": "leaving"}, status=202)


def _member(request: web.Request) -> tuple[FederationContext, Member]:
    context = request.app[CONTEXT]
    return context, authenticate_request(context.roster, request, now=context.clock())


def _parse(body: bytes) -> JoinRequest:
    try:
        return JoinRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise InvalidJoinRequest(
            f"The request to join cannot be used: {where}: {first['msg']}."
        ) from error
