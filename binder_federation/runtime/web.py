"""The HTTP edge that both services share: errors as JSON, request ids, safe headers."""

import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiohttp import web
from prometheus_client import Counter

from binder_federation.runtime.errors import Fault, ServiceError
from binder_federation.runtime.log_context import LAUNCH_ID, REQUEST_ID, TRACE
from binder_federation.runtime.trace_context import read_trace

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ResponseSignal = Callable[[web.Request, web.StreamResponse], Awaitable[None]]

CLIENT_GONE = 499
"""As nginx calls it: the client closed the connection before it had its answer. Raised, it would
be an error in the log."""

_ASCII_HEADERS = frozenset({b"host", b"authorization", b"origin"})
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.%]{2,60}\])(?::[0-9]{1,5})?")

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer-when-downgrade",
}


class InvalidHeader(ServiceError):
    """A header that no client sends by itself."""

    code = "invalid_header"
    status = 400
    fault = Fault.REQUEST


@web.middleware
async def edge_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Name every log line's request; render a `ServiceError` as JSON, hide other errors.

    The request's id is the caller's, if it is a plain one. One middleware for both: each
    one costs a request as much as looking up its route.
    """
    given = request.headers.get("X-Request-ID")
    is_plain = given is not None and given.isalnum() and len(given) <= 64
    if not _is_head_plain(request):
        return error_response(
            InvalidHeader(
                "A header of this request is not text as HTTP has it.",
                advice="Host and Authorization are ASCII; other headers are UTF-8.",
            )
        )
    token = REQUEST_ID.set(given if given and is_plain else secrets.token_hex(8))
    # A connection's requests share a task, so what one of them is part of must end with it.
    launch_token, trace_token = LAUNCH_ID.set(""), TRACE.set(read_trace(request.headers))
    try:
        return await handler(request)
    except ServiceError as error:
        return error_response(error)
    except web.HTTPException as error:
        if error.status < 400 or error.content_type == "application/json":
            raise
        return _render(error)
    except ConnectionResetError:
        return web.Response(status=CLIENT_GONE)  # which nobody will read
    except Exception:
        log.exception("request_failed", method=request.method, path=request.path[:200])
        return error_response(ServiceError("Something went wrong on our side. It has been logged."))
    finally:
        REQUEST_ID.reset(token)
        LAUNCH_ID.reset(launch_token)
        TRACE.reset(trace_token)


def _is_head_plain(request: web.Request) -> bool:
    """Whether everything that reads headers can rely on them being text."""
    for name, value in request.raw_headers:
        if value.isascii():
            continue
        if name.lower() in _ASCII_HEADERS:
            return False
        try:
            value.decode()
        except UnicodeDecodeError:
            return False
    host = request.headers.get("Host")
    return host is None or _HOST.fullmatch(host) is not None


def _render(error: web.HTTPException) -> web.Response:
    body = {
        "code": f"http_{error.status}",
        "message": _HTTP_SENTENCES.get(error.status, f"{error.reason}."),
    }
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
    return web.json_response(body, status=error.status, headers=headers)


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


def make_counting_signal(counter: Counter) -> ResponseSignal:
    """An `on_response_prepare` signal that counts answers by the class of their status."""
    classes = {number: counter.labels(f"{number}xx") for number in range(1, 6)}

    async def count(_request: web.Request, response: web.StreamResponse) -> None:
        classes[response.status // 100].inc()

    return count


def raw_path_after(request: web.Request, prefix: str) -> str:
    """The request's path after `prefix`, still percent-encoded, without the query.

    aiohttp's `match_info` decodes `%2F`; a spec needs to tell it from `/`.
    """
    return request.raw_path.partition("?")[0].removeprefix(prefix)


def json_ok(body: Any, *, location: str = "", **kwargs: Any) -> web.Response:
    """A JSON answer that no cache keeps; `location` is the address of what was made."""
    headers = {"Cache-Control": "no-store", **({"Location": location} if location else {})}
    return web.json_response(body, headers=headers, **kwargs)
