"""`/api/admin/bans`: networks and repositories that get nothing, until when, and why."""

import secrets

from aiohttp import web

from binder_federation.config.admin import Scope
from binder_federation.federation.context import CONTEXT
from binder_federation.federation.handlers.admin import check_admin
from binder_federation.federation.handlers.steering.attempts import answer, attempt
from binder_federation.federation.handlers.steering.bodies import BanBody, Body, read_body
from binder_federation.federation.orders import bans as orders
from binder_federation.federation.orders.describe import describe_ban, describe_bans


async def list_bans(request: web.Request) -> web.Response:
    """`GET`: those that operators gave live."""
    check_admin(request, Scope.READ, Scope.POLICY)
    context = request.app[CONTEXT]
    document = context.steering.current
    told = describe_bans(document, context.clock())
    return answer({"bans": told}, revision=document.revision)


async def ban(request: web.Request) -> web.Response:
    """`POST`: one more; the same network or pattern again replaces what was said of it."""
    async with attempt(request, Scope.POLICY, action="ban") as made:
        body = await read_body(request, BanBody)
        made.explain(body.reason, detail=(body.network or body.pattern or "")[:200])
        made.explain(body.reason, until=body.ends_at(made.now), detail=made.detail)
        made.require_reason()
        network, pattern = body.network, body.pattern
        if network is not None:
            network = orders.read_network(network, everything=body.everything)
        if pattern is not None:
            providers = tuple(made.context.repositories.providers)
            pattern = orders.read_pattern(pattern, providers=providers, everything=body.everything)
        current = made.context.steering.current
        same = orders.find_same_ban(current, network=network, pattern=pattern)
        made.subject = same or secrets.token_hex(4)
        order = orders.make_ban(
            made.subject,
            made.word(),
            network=network,
            label=body.label,
            pattern=pattern,
            message=body.message,
        )
        document = await made.change(lambda document: orders.ban(document, order))
        given = orders.find_same_ban(document, network=network, pattern=pattern)
        told = describe_ban(document.bans[given])
        return answer({"ban": told}, revision=document.revision, status=200 if same else 201)


async def unban(request: web.Request) -> web.Response:
    """`DELETE`: it ends now."""
    ban_id = request.match_info["id"]
    async with attempt(request, Scope.POLICY, action="unban", subject=ban_id) as made:
        known = made.context.steering.current.bans.get(ban_id)
        detail = (known.network or known.pattern or "")[:200] if known else ""
        made.explain((await read_body(request, Body)).reason, detail=detail)
        document = await made.change(lambda document: orders.unban(document, ban_id))
        bans = describe_bans(document, made.now)
        return answer({"ended": ban_id, "bans": bans}, revision=document.revision)
