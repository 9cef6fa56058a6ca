"""The HTTP edge that both services share: errors as JSON, request ids, safe headers."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiohttp import web

from binder_federation.runtime.errors import ServiceError
from binder_federation.runtime.logs import REQUEST_ID

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer-when-downgrade",
}


@web.middleware
async def request_id_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Bind `request_id` (the caller's, if it is a plain one) to every log line of a request."""
    given = request.headers.get("X-Request-ID", "")
    request_id = given if given.isalnum() and len(given) <= 64 else secrets.token_hex(8)
    token = REQUEST_ID.set(request_id)
    try:
        return await handler(request)
    finally:
        REQUEST_ID.reset(token)


@web.middleware
async def error_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Render a `ServiceError` as JSON with its status; hide what anything else says."""
    try:
        return await handler(request)
    except ServiceError as error:
        return error_response(error)
    except web.HTTPException as error:
        if error.status < 400 or error.content_type == "application/json":
            raise
        body = {
            "code": f"http_{error.status}",
            "message": _HTTP_SENTENCES.get(error.status, f"{error.reason}."),
        }
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return web.json_response(body, status=error.status, headers=headers)
    except ConnectionResetError:
        raise  # the client went away: there is nobody to answer
    except Exception:
        log.exception("request_failed", method=request.method, path=request.path[:200])
        return error_response(ServiceError("Something went wrong on our side. It has been logged."))


_HTTP_SENTENCES = {
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
    413: "The request is larger than this address takes.",
}


def error_response(error: ServiceError) -> web.Response:
    """The JSON answer for `error`."""
    headers = {}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after_seconds)))
    return web.json_response(error.to_json(), status=error.status, headers=headers)


async def add_security_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """An `on_response_prepare` signal: headers that every answer carries."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)


def raw_path_after(request: web.Request, prefix: str) -> str:
    """The request's path after `prefix`, still percent-encoded, without the query.

    aiohttp's `match_info` decodes `%2F`; a spec needs to tell it from `/`.
    """
    return request.raw_path.partition("?")[0].removeprefix(prefix)


def json_ok(body: Any, **kwargs: Any) -> web.Response:
    """A JSON answer that no cache keeps."""
    return web.json_response(body, headers={"Cache-Control": "no-store"}, **kwargs)
