"""Where the visitor is, and where we are as the visitor sees it.

Forwarded headers are believed of trusted proxies alone (`binder/forwarding.py`); with none
in the settings, of nobody.
"""

from aiohttp import web

from binder_federation.binder.forwarding import TrustedProxies, Visitor

PROXIES: web.AppKey[TrustedProxies] = web.AppKey("trusted-proxies", TrustedProxies)
NO_PROXIES = TrustedProxies()


def public_url(request: web.Request, configured: str | None) -> str:
    """The federation's public URL with a trailing `/`: as configured, else the request's host."""
    base = configured or own_url(request)
    return f"{base.rstrip('/')}/"


def own_url(request: web.Request) -> str:
    """Scheme and host of the request, as the visitor's browser has them."""
    visitor = find_visitor(request)
    return f"{visitor.scheme or request.scheme}://{visitor.host or request.host}"


def own_host(request: web.Request) -> str:
    """Host and port of the request, as the visitor's browser has them."""
    return find_visitor(request).host or request.host


def client_address(request: web.Request) -> str:
    """The visitor's address."""
    proxies = request.app.get(PROXIES)  # every launch passes here: none is the usual case
    return proxies.find(request).address if proxies else request.remote or ""


def find_visitor(request: web.Request) -> Visitor:
    """Who asks, past the proxies that are trusted."""
    return request.app.get(PROXIES, NO_PROXIES).find(request)
