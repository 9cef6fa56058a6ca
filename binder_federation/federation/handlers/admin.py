"""Who may use the admin API: who has its token or, without one, who is at this machine."""

import hmac
from ipaddress import ip_address

from aiohttp import web

from binder_federation.binder.errors import NotAuthorized
from binder_federation.federation.context import CONTEXT

FORWARDING_HEADERS = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")


def check_admin(request: web.Request) -> None:
    """Raises `NotAuthorized` when the request may not use `/api/admin`.

    With `admin.token` that token is needed from everywhere. Without it the peer must be
    on this machine and must not speak for somebody else: behind a proxy on the same
    machine every visitor comes from the loopback address.
    """
    token = request.app[CONTEXT].settings.admin.token
    if token is None:
        _check_is_local(request)
        return
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    expected = token.get_secret_value().encode()
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), expected):
        raise NotAuthorized(
            "The admin API needs its token.",
            advice="Send admin.token of the settings in the header Authorization: Bearer ….",
        )


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
