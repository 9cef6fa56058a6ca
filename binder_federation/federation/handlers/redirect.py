"""`/build` with `launch.mode: redirect`: a 307 to the member that was chosen.

The member's own stream then goes to the visitor's browser, so nothing is relayed,
nothing is learned from it, and a member that fails is not replaced. What the
federation knows it knows from reports (docs/decisions/0010-redirect-mode.md).
"""

from urllib.parse import urlsplit

from aiohttp import web

from binder_federation.federation.context import FederationContext
from binder_federation.federation.handlers.quick_redirect import QuickRedirect
from binder_federation.federation.launch_request import LaunchRequest
from binder_federation.federation.outcomes import nobody_error
from binder_federation.federation.roster import Roster
from binder_federation.runtime.errors import ServiceError


async def redirect(context: FederationContext, request: LaunchRequest) -> web.Response:
    """The answer that sends the visitor to a member; raises a `ServiceError` when none may."""
    placing = context.placing
    resolved_ref = ""
    try:
        resolved = await context.resolver.resolve(request.spec)
        resolved_ref = resolved.resolved_ref
        decision = await placing.place(request, resolved)
        if decision.member is None:
            raise nobody_error(decision.refused)
    except ServiceError as error:
        context.ended_launches.not_redirected(request, error, resolved_ref=resolved_ref)
        raise
    context.ended_launches.redirected(request, resolved_ref=resolved_ref, member=decision.member)
    member = placing.member(decision.member)
    path = placing.path(resolved)
    token = placing.sign(request, path, member)
    build_only = "&build_only=true" if request.is_build_only else ""
    location = f"{member.public_url}/build/{path}?build_token={token}{build_only}"
    return QuickRedirect(location, now=context.clock())


def member_origins(roster: Roster) -> tuple[str, ...]:
    """The origins that a page must be allowed to connect to, each once."""
    parts = [urlsplit(member.public_url) for member in roster]
    return tuple(dict.fromkeys(f"{part.scheme}://{part.netloc}" for part in parts))
