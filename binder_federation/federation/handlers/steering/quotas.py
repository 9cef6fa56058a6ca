"""`/api/admin/quotas`: how many sessions of an event's repositories, from when until when."""

import secrets

from aiohttp import web

from binder_federation.config.admin import Scope
from binder_federation.federation.context import CONTEXT
from binder_federation.federation.handlers.admin import check_admin
from binder_federation.federation.handlers.steering.attempts import answer, attempt
from binder_federation.federation.handlers.steering.bodies import Body, QuotaBody, read_body
from binder_federation.federation.orders import quotas as orders
from binder_federation.federation.orders.bans import read_pattern
from binder_federation.federation.orders.describe import describe_quota, describe_quotas
from binder_federation.federation.steering.document import QuotaOrder


async def list_quotas(request: web.Request) -> web.Response:
    """`GET`: those that operators gave live."""
    check_admin(request, Scope.READ, Scope.POLICY)
    context = request.app[CONTEXT]
    document = context.steering.current
    told = describe_quotas(document, context.clock())
    return answer({"quotas": told}, revision=document.revision)


async def set_quota(request: web.Request) -> web.Response:
    """`POST`: one more; the same pattern, scope and beginning again replaces it."""
    async with attempt(request, Scope.POLICY, action="quota") as made:
        body = await read_body(request, QuotaBody)
        begins_at, ends_at = body.window(made.now)
        detail = f"{body.pattern[:200]}: {body.sessions} sessions ({body.scope.value})"
        made.explain(body.reason, until=ends_at, detail=detail)
        orders.check_window(begins_at, ends_at, made.now)
        pattern = read_pattern(body.pattern, providers=(), everything=True)
        made.subject = secrets.token_hex(4)
        order = QuotaOrder(
            id=made.subject,
            word=made.word(),
            pattern=pattern,
            sessions=body.sessions,
            scope=body.scope,
            begins_at=begins_at,
            ends_at=ends_at,
        )
        made.subject = orders.find_same_quota(made.context.steering.current, order) or order.id
        document = await made.change(lambda document: orders.set_quota(document, order))
        is_new = made.subject == order.id
        given = orders.find_same_quota(document, order)
        told = describe_quota(document.quotas[given])
        return answer({"quota": told}, revision=document.revision, status=201 if is_new else 200)


async def end_quota(request: web.Request) -> web.Response:
    """`DELETE`: it ends now."""
    quota_id = request.match_info["id"]
    async with attempt(request, Scope.POLICY, action="end_quota", subject=quota_id) as made:
        known = made.context.steering.current.quotas.get(quota_id)
        detail = known.pattern[:200] if known else ""
        made.explain((await read_body(request, Body)).reason, detail=detail)
        document = await made.change(lambda document: orders.end_quota(document, quota_id))
        quotas = describe_quotas(document, made.now)
        return answer({"ended": quota_id, "quotas": quotas}, revision=document.revision)
