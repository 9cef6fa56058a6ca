"""Who may use the admin API: who has a token with the right scope, and is no other site's page."""

import re
from ipaddress import ip_address

from aiohttp import web
from yarl import URL

from binder_federation.binder.errors import NotAuthorized
from binder_federation.config.admin import Scope
from binder_federation.federation.admin_tokens import AdminIdentity, AdminTokens
from binder_federation.federation.context import CONTEXT
from binder_federation.federation.steering.audit import Actor
from binder_federation.runtime.errors import Fault, ServiceError

ADMIN_TOKENS: web.AppKey[AdminTokens] = web.AppKey("admin_tokens", AdminTokens)
URL_ORIGIN = re.compile(r"^https?://", re.ASCII | re.IGNORECASE)
_CLUSTER_DOMAINS = (".svc", ".svc.cluster.local", ".internal", ".localhost")


class HostNotExpected(ServiceError):
    """The name in the Host header is none of ours: somebody else's name may lead here."""

    code = "host_not_expected"
    status = 421
    fault = Fault.REQUEST


class CrossSite(NotAuthorized):
    """A page of another site sent this."""

    code = "cross_site"


class NotJson(ServiceError):
    """The body is not said to be JSON."""

    code = "not_json"
    status = 415
    fault = Fault.REQUEST


class ScopeNeeded(NotAuthorized):
    """The token is good, and not for this."""

    code = "scope_needed"

    def __init__(self, scope: Scope, actor: Actor) -> None:
        super().__init__(
            f"The admin token of {actor.name} does not have the scope {scope.value!r}, "
            "which this needs.",
            advice="Use another token, or give this one the scope (admin.tokens).",
        )
        self.actor = actor


def check_admin(request: web.Request, scope: Scope, *or_else: Scope) -> Actor:
    """Who asks, if they may do what needs `scope`, or one of `or_else` instead.

    Raises `NotAuthorized` for who may not use `/api/admin` at all, and `ScopeNeeded` for a
    token without the scope; `HostNotExpected`, `CrossSite` and `NotJson` as `identify`.
    """
    identity = identify(request)
    actor = Actor(identity.name)
    if identity.scopes.isdisjoint((scope, *or_else)):
        raise ScopeNeeded(scope, actor)
    return actor


def identify(request: web.Request) -> AdminIdentity:
    """Who asks, whatever they may do. Raises `NotAuthorized` for a stranger.

    A browser on an operator's machine may be told to send a request here, by any page. It has no
    token; and as a second line, what only browsers send is looked at: the name that was asked for
    (`HostNotExpected`), the site that asks (`CrossSite`), and whether a body is JSON (`NotJson`),
    which no page may send elsewhere without being asked first.
    """
    _check_host(request)
    _check_site(request)
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    identity = None
    if scheme.lower() == "bearer":
        tokens = request.app[ADMIN_TOKENS]
        identity = tokens.find(given.strip(), now=request.app[CONTEXT].clock())
    if identity is None:
        raise NotAuthorized(
            "The admin API needs its token.",
            advice="Send admin.token or one of admin.tokens of the settings in the header "
            "Authorization: Bearer …. On the federation's own machine the command binderfed "
            "finds it by itself.",
        )
    if request.can_read_body and request.content_type != "application/json":
        raise NotJson(
            "The body of an order is JSON.", advice="Send it with Content-Type: application/json."
        )
    return identity


def _check_host(request: web.Request) -> None:
    """A name that is no public one cannot be made to lead here; an address is no name at all."""
    settings = request.app[CONTEXT].settings
    name = _host_name(request.host)
    public = URL(settings.public_url).host if settings.public_url else None
    is_ours = (
        _is_address(name)
        or "." not in name
        or name.endswith(_CLUSTER_DOMAINS)
        or name == (public or "").lower()
        or name in (each.lower() for each in settings.admin.hosts)
    )
    if not is_ours:
        raise HostNotExpected(
            f"The admin API is not known as {name}.",
            advice="Use the federation's public URL, or name this host in admin.hosts.",
        )


def _host_name(host: str) -> str:
    """The name or address in a Host header; a dot, which is nobody's, for what is none."""
    try:
        return (URL(f"http://{host}").host or ".").lower()
    except ValueError:
        return "."


def _check_site(request: web.Request) -> None:
    site = request.headers.get("Sec-Fetch-Site", "none").lower()
    origin = request.headers.get("Origin")
    is_own = origin is None or URL_ORIGIN.sub("", origin).lower() == request.host.lower()
    if site not in ("none", "same-origin") or not is_own:
        raise CrossSite("The admin API takes no requests from pages of other sites.")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
