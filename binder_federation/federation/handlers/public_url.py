"""Where the visitor is, and where we are as the visitor sees it."""

from aiohttp import web


def public_url(request: web.Request, configured: str | None) -> str:
    """The federation's public URL with a trailing `/`: as configured, else the request's host."""
    base = configured or f"{request.scheme}://{request.host}"
    return f"{base.rstrip('/')}/"


def client_address(request: web.Request) -> str:
    """The visitor's address. Forwarded headers are not believed: no proxy is trusted yet."""
    return request.remote or ""
