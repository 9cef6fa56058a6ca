"""`/build` with `launch.mode: redirect`: a 307 to the member that was chosen.

The member's own stream then goes to the visitor's browser, so nothing is relayed,
nothing is learned from it, and a member that fails is not replaced. What the
federation knows it knows from reports (docs/decisions/0010-redirect-mode.md).

Our own page asks for JSON instead: an EventSource that follows a redirect does not tell where
it came to, and a page that knows the member can go on without it when it fails.
"""

import secrets
from dataclasses import replace
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from binder_federation.federation.admission import limit_headers
from binder_federation.federation.context import FederationContext
from binder_federation.federation.handlers.quick_redirect import QuickRedirect
from binder_federation.federation.launch_request import LaunchRequest, audience
from binder_federation.federation.outcomes import nobody_error
from binder_federation.federation.roster import Roster
from binder_federation.federation.sticky_cookie import read_member, write_member
from binder_federation.runtime.bounded import read_origin
from binder_federation.runtime.cors import CORS
from binder_federation.runtime.errors import ServiceError
from binder_federation.runtime.web import json_ok


def wants_address(request: web.Request) -> bool:
    """Whether the client asks where to go, instead of being sent there."""
    return request.headers.get(hdrs.ACCEPT) == "application/json"


async def redirect(
    context: FederationContext, launch: LaunchRequest, request: web.Request
) -> web.Response:
    """The answer that sends the visitor to a member; raises a `ServiceError` when none may."""
    cookie = request.headers.get(hdrs.COOKIE)
    if cookie and not launch.prefer:
        launch = replace(launch, prefer=read_member(cookie))
    member, url = await _place(context, launch, launch_id=secrets.token_hex(8))
    if wants_address(request):
        return json_ok({"member": member, "url": url})
    headers = request.app[CORS].answer_headers(request.headers.get(hdrs.ORIGIN))
    headers.update(limit_headers(request))
    if sticky := _sticky_cookie(context, launch, member):
        headers[hdrs.SET_COOKIE] = sticky
    return QuickRedirect(url, now=context.clock(), headers=headers)


async def _place(
    context: FederationContext, launch: LaunchRequest, *, launch_id: str
) -> tuple[str, str]:
    """The member, and the address of its stream.

    The token is for one launch, which its id names: who connects anew, or sends the token once
    more, goes on with that one and starts no second server.
    """
    placing = context.placing
    resolved_ref = ""
    try:
        resolved = await context.resolver.resolve(launch.spec)
        resolved_ref = resolved.resolved_ref
        decision = await placing.place(launch, resolved)
        if decision.member is None:
            raise nobody_error(decision.refused)
    except ServiceError as error:
        context.ended_launches.not_redirected(launch, error, resolved_ref=resolved_ref)
        raise
    context.ended_launches.redirected(launch, resolved_ref=resolved_ref, member=decision.member)
    member = placing.member(decision.member)
    path = placing.path(resolved)
    token = placing.sign(launch, resolved, path, member, launch=launch_id)
    query = [f"build_token={token}"] if token else []  # a BinderHub takes none of ours
    if launch.is_build_only:
        query.append("build_only=true")
    url = f"{member.public_url}/build/{path}"
    return member.name, f"{url}?{'&'.join(query)}" if query else url


def _sticky_cookie(context: FederationContext, launch: LaunchRequest, member: str) -> str:
    """The cookie to set; "" where there is nothing to remember."""
    seconds = round(context.settings.launch.sticky_hours * 3600)
    if not seconds or launch.is_build_only or len(context.roster) < 2:
        return ""
    path = f"build/{audience(launch.spec.provider, launch.raw_spec)}"
    return write_member(member, launch_host=launch.launch_host, path=path, seconds=seconds)


def member_origins(roster: Roster) -> tuple[str, ...]:
    """The origins that a page must be allowed to connect to, each once."""
    found = (_origin(member.public_url) for member in roster if not member.is_joining)
    return tuple(dict.fromkeys(filter(None, found)))


def _origin(url: str) -> str:
    """Nothing else than an origin gets into the pages' policy, whatever a member's URL is."""
    try:
        parts = urlsplit(url)
        return read_origin(f"{parts.scheme}://{parts.netloc}")
    except ValueError:
        return ""
