"""Which pages of other origins may launch and read the answer: CORS of `/build`.

Pages elsewhere launch with `fetch` and `EventSource`, with credentials and without. A browser
takes no `*` where credentials go along, and some send them along a redirect unasked, so the
origin that asks is echoed (docs/decisions/0019-cors.md). The headers are added as an answer is
prepared: refusals, and what aiohttp answers itself (404, 405), have them like streams do.

Protocol: https://fetch.spec.whatwg.org/#http-cors-protocol
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import hdrs, web

ANY_ORIGIN = "*"
EXPOSED = (
    "Retry-After, X-Binder-Launch, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset"
)
PREFLIGHT_SECONDS = 86400
USUAL_HEADERS = "Accept, Authorization, Cache-Control, Last-Event-ID, X-Requested-With, X-XSRFToken"
"""Allowed where a browser names none, or names what is no list of headers."""

_ORIGIN = re.compile(r"null|[a-z][a-z0-9+.-]{0,31}://[A-Za-z0-9._\-\[\]:]{1,260}", re.ASCII)
_HEADER_NAMES = re.compile(
    r"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*"
)
_LONGEST_HEADER_NAMES = 1000


@dataclass(frozen=True, slots=True)
class CorsPolicy:
    """`origins` are those of the pages that may read answers; None: those of all."""

    origins: frozenset[str] | None = None

    def answer_headers(self, origin: str | None) -> dict[str, str]:
        """What an answer to a page of `origin` carries; None where no page asks.

        An origin in no shape that a browser sends is answered like no origin.
        """
        if origin is None or not _ORIGIN.fullmatch(origin):
            anybody = {"Access-Control-Allow-Origin": ANY_ORIGIN} if self.origins is None else {}
            return {**anybody, "Vary": "Origin"}
        if self.origins is not None and origin not in self.origins:
            return {"Vary": "Origin"}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": EXPOSED,
            "Vary": "Origin",
        }

    def preflight(self, request: web.Request, *, methods: str) -> web.Response:
        """The answer to `OPTIONS`: whatever headers a page wants to send are welcome.

        It has no `Access-Control-Allow-Origin` yet: as on every answer, the signal adds it.
        """
        wanted = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, "")
        is_list = len(wanted) <= _LONGEST_HEADER_NAMES and _HEADER_NAMES.fullmatch(wanted)
        headers = {
            "Allow": methods,
            "Access-Control-Allow-Methods": methods,
            "Access-Control-Allow-Headers": wanted if is_list else USUAL_HEADERS,
            "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
        }
        return web.Response(status=204, headers=headers)


def make_cors_signal(
    policy: CorsPolicy, *, prefix: str
) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """An `on_response_prepare` signal that adds the policy's headers to answers under `prefix`."""

    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        if not request.path.startswith(prefix):
            return
        response.headers.update(policy.answer_headers(request.headers.get(hdrs.ORIGIN)))
        if request.method == hdrs.METH_OPTIONS:
            response.headers["Vary"] = "Origin, Access-Control-Request-Headers"

    return add_headers


CORS: web.AppKey[CorsPolicy] = web.AppKey("cors", CorsPolicy)
