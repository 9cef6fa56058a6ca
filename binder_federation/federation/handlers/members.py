"""`/api/members`: how the members are, and where their reports come in."""

from dataclasses import asdict
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from binder_federation.binder.errors import NotAuthorized
from binder_federation.binder.messages import MOST_REPORT_BYTES, Report
from binder_federation.binder.report_tokens import ReportClaims
from binder_federation.federation.context import CONTEXT, FederationContext
from binder_federation.federation.core.eligible import Refusal
from binder_federation.federation.joining.joining import add_credential
from binder_federation.federation.joining.signatures import authenticate_report, read_bearer
from binder_federation.federation.redirector.active_hosts import active_hosts
from binder_federation.federation.report_rates import ReportsTooOften
from binder_federation.federation.roster import Member
from binder_federation.health.state import Health, MemberState
from binder_federation.runtime.bodies import BodyTooLarge, BodyTooSlow, read_body
from binder_federation.runtime.errors import Fault, ServiceError
from binder_federation.runtime.web import json_ok

ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}


class InvalidReport(ServiceError):
    """The body is no report."""

    code = "invalid_report"
    status = 400
    fault = Fault.REQUEST


async def list_members(request: web.Request) -> web.Response:
    """`GET /api/members`: every member with its state, load and checks."""
    context = request.app[CONTEXT]
    now = context.clock()
    members = [await _describe(context, member, now) for member in context.roster]
    return json_ok({"members": members})


async def list_active_hosts(request: web.Request) -> web.Response:
    """`GET /active_hosts`: the members that get launches, as mybinder.org's redirector tells."""
    context = request.app[CONTEXT]
    now = context.clock()
    hosts = active_hosts(
        context.roster,
        context.fleet.snapshot(now=now),
        now=now,
        settings=context.settings.health,
    )
    return web.json_response({"active_hosts": hosts}, headers=ANY_ORIGIN)


async def take_report(request: web.Request) -> web.Response:
    """`POST /api/members/{name}/report`: what an agent says about its own member."""
    context = request.app[CONTEXT]
    name = request.match_info["name"]
    now = context.clock()
    member, claims = authenticate_report(context.roster, name, read_bearer(request), now=now)
    try:
        report = await _read_report(request, member, claims)
    except (InvalidReport, BodyTooLarge, BodyTooSlow, ReportsTooOften) as error:
        context.reports.note_refused(member.name, error.message)
        context.metrics.reports_refused.labels(member.name, error.code).inc()
        raise
    if claims is not None:
        context.joining.replays.check(report, now=now)
    reply = await context.reports.accept(report, now=context.clock())
    credential = context.joining.after_report(member, claims, report)
    context.metrics.reports.labels(member.name).inc()
    if not context.monitor.health(member.name).state.is_well:
        context.monitor.probe_soon(member.name)  # it lives: do not wait for the next turn
    policy = context.limits.policy.for_members
    if report.policy_digest is not None and report.policy_digest != policy.digest:
        reply = reply.model_copy(update={"policy": policy})
    return json_ok(add_credential(reply, credential))


async def _read_report(request: web.Request, member: Member, claims: ReportClaims | None) -> Report:
    """The member's report. What it gets wrong is its failure, and nobody else's."""
    rates = request.app[CONTEXT].report_rates
    rates.check(member.name, min(request.content_length or 0, MOST_REPORT_BYTES))
    body = await read_body(request, most_bytes=MOST_REPORT_BYTES)
    if claims is not None:
        claims.check_body(body)
    report = _parse(body)
    if report.member != member.name:
        raise NotAuthorized(f"{member.name} may report about itself only.")
    return report


def _parse(body: bytes) -> Report:
    try:
        return Report.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise InvalidReport(f"The report cannot be used: {where}: {first['msg']}.") from error


async def _describe(context: FederationContext, member: Member, now: float) -> dict[str, Any]:
    health = context.monitor.health(member.name)
    load = context.reports.load(member.name, now=now)
    return {
        "name": member.name,
        "kind": member.kind.value,
        "url": member.url,
        "state": _state(context, member, health),
        "reason": health.reason,
        "since": round(health.since, 3),
        "weight": member.weight,
        "effective_weight": round(context.fleet.effective_weight(member, now=now), 3),
        "load": asdict(load) if load else None,
        "images": await context.shared.store.image_count(member.name),
        "checks": _checks(context, member, now),
        "incompatibility": context.reports.incompatibility(member.name) or None,
        "joining": await _joining(context, member),
    }


async def _joining(context: FederationContext, member: Member) -> dict[str, Any] | None:
    """The checklist of a member that has still to be admitted."""
    if not member.is_joining:
        return None
    checks = await context.joining.admissions.tell(member)
    return checks.model_dump(mode="json", exclude_none=True)


def _checks(context: FederationContext, member: Member, now: float) -> list[dict[str, Any]]:
    """What the member says of itself: in its reports, or a BinderHub in its `/health`."""
    if not member.is_binderhub:
        own = context.reports.checks(member.name, now=now)
        return [{"service": each.service, "ok": each.ok, "message": each.message} for each in own]
    result = context.monitor.last_result(member.name)
    checks = result.checks if result else ()
    return [{"service": check.service, "ok": check.ok, "message": ""} for check in checks]


def _state(context: FederationContext, member: Member, health: Health) -> str:
    """What counts for launches now: that it is joining, an operator's word, then an ejection, then
    the probes'."""
    if member.is_joining:
        return Refusal.JOINING.value
    if member.is_draining or context.reports.is_draining(member.name):
        return MemberState.DRAINING.value
    return "ejected" if health.is_ejected and health.state.is_well else health.state.value
