"""Who may use the admin API: who has a token with the right scope or, where the settings have
no token, who is at this machine."""

from ipaddress import ip_address

from aiohttp import web

from binder_federation.binder.errors import NotAuthorized
from binder_federation.config.admin import Scope
from binder_federation.federation.admin_tokens import AdminIdentity, AdminTokens
from binder_federation.federation.context import CONTEXT
from binder_federation.federation.steering.audit import Actor

FORWARDING_HEADERS = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")
ADMIN_TOKENS: web.AppKey[AdminTokens] = web.AppKey("admin_tokens", AdminTokens)
LOCAL = AdminIdentity("local", frozenset(Scope))
"""Somebody at this machine, where no token is set."""


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
    token without the scope. With tokens in the settings one is needed from everywhere.
    Without any, the peer must be on this machine and must not speak for somebody else: behind
    a proxy on the same machine every visitor comes from the loopback address.
    """
    identity = identify(request)
    actor = Actor(identity.name)
    if identity.scopes.isdisjoint((scope, *or_else)):
        raise ScopeNeeded(scope, actor)
    return actor


def identify(request: web.Request) -> AdminIdentity:
    """Who asks, whatever they may do. Raises `NotAuthorized` for a stranger."""
    tokens = request.app[ADMIN_TOKENS]
    if not tokens:
        _check_is_local(request)
        return LOCAL
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    identity = None
    if scheme.lower() == "bearer":
        identity = tokens.find(given.strip(), now=request.app[CONTEXT].clock())
    if identity is None:
        raise NotAuthorized(
            "The admin API needs its token.",
            advice="Send admin.token or one of admin.tokens of the settings in the header "
            "Authorization: Bearer ….",
        )
    return identity


def _check_is_local(request: web.Request) -> None:
    is_forwarded = any(name in request.headers for name in FORWARDING_HEADERS)
    if is_forwarded or not _is_loopback(request.remote):
        raise NotAuthorized(
            "Without a token the admin API answers this machine alone.",
            advice="Set admin.token in the federation's settings and send it as a bearer token.",
        )


def _is_loopback(address: str | None) -> bool:
    try:
        return ip_address(address or "").is_loopback
    except ValueError:
        return False
