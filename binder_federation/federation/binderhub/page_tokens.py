"""A BinderHub's own build tokens, taken from its launch page as a browser does.

BinderHub counts the launches of an address that come without a token of its own, and all
of ours come from one address. Its page `/v2/<provider>/<spec>` carries such a token, good
for the same path of `/build` and the same Host for some minutes (binderhub/main.py and
base.py: a JWT with `aud`, `origin` and `exp`, 300 seconds by default). The page has it in
the JSON of `window.pageConfig`, and had it in `<meta id="build-token" data-token="…">`.

A member is asked for its page only for an hour after it limited us; before that it gets
no request more. One question is shared by all who launch the same there.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import jwt
import structlog

from binder_federation.federation.roster import Member
from binder_federation.runtime.tasks import BackgroundTasks

log = structlog.get_logger(__name__)

PAGE_SECONDS = 3.0
PAGE_BYTES = 512 * 1024
LIMITED_SECONDS = 3600.0
"""BinderHub's own period (binderhub/ratelimit.py)."""
MOST_TOKENS = 2000
KEPT_SECONDS = 240.0
"""At most, whatever its clock says of the expiry."""
EARLY_SECONDS = 30.0
"""Before its expiry a token is not used any more."""
NO_TOKEN_SECONDS = 60.0
"""A page without a token is not asked for again for so long."""

_JWT = r"(?P<token>[\w-]{1,1000}\.[\w-]{1,2000}\.[\w-]{1,1000})"
_PLACES = (
    re.compile(r'"buildToken"\s*:\s*"' + _JWT + '"', re.ASCII),
    re.compile(r'\bid="build-token"\s[^<>]{0,200}?\bdata-token="' + _JWT + '"', re.ASCII),
)


@dataclass(frozen=True, slots=True)
class _Kept:
    token: str
    until: float


class PageTokens:
    """Tokens by member and path."""

    def __init__(
        self, *, client: httpx.AsyncClient, tasks: BackgroundTasks, clock: Callable[[], float]
    ) -> None:
        self._client = client
        self._tasks = tasks
        self._clock = clock
        self._limited_at: dict[str, float] = {}
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._asked: dict[tuple[str, str], asyncio.Task[str]] = {}
        self._said: dict[str, str] = {}

    def note_limit(self, member: Member) -> None:
        """The member refused a launch without a token for its rate limit."""
        self._limited_at[member.name] = self._clock()

    def forget(self, member: Member, path: str) -> None:
        """The member refused its token for `path`."""
        self._kept.pop((member.name, path), None)

    async def token(self, member: Member, path: str) -> str:
        """The token for `<provider>/<spec>`; "" where none is needed or to be had."""
        if not member.uses_page_tokens or not self._is_limited(member):
            return ""
        key = (member.name, path)
        kept = self._kept.get(key)
        if kept is not None and self._clock() < kept.until:
            return kept.token
        task = self._asked.get(key)
        if task is None:
            task = self._tasks.start(self._ask(member, path), name=f"page_token:{member.name}")
            self._asked[key] = task
            task.add_done_callback(lambda _task: self._asked.pop(key, None))
        return await asyncio.shield(task)  # whoever leaves takes nothing from the others

    def _is_limited(self, member: Member) -> bool:
        limited_at = self._limited_at.get(member.name)
        return limited_at is not None and self._clock() - limited_at < LIMITED_SECONDS

    async def _ask(self, member: Member, path: str) -> str:
        token, reason = "", "no token in its page"
        try:
            async with asyncio.timeout(PAGE_SECONDS):
                token = find_token(await self._fetch_page(f"{member.url}/v2/{path}"))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            reason = repr(error)[:200]
        self._say(member.name, "" if token else reason)
        now = self._clock()
        self._keep((member.name, path), _Kept(token, _kept_until(token, now=now)))
        return token

    async def _fetch_page(self, url: str) -> str:
        """The page's text; raises `httpx.HTTPError`, `TimeoutError`, `ValueError`."""
        headers = {"Accept": "text/html"}  # no Origin: its `/build` is asked without one, too
        body = bytearray()
        async with self._client.stream("GET", url, headers=headers, timeout=PAGE_SECONDS) as page:
            if page.status_code != 200:
                raise ValueError(f"status {page.status_code}")
            async for chunk in page.aiter_bytes():
                body += chunk
                if len(body) > PAGE_BYTES:
                    raise ValueError("the page is too long")
        return body.decode("utf-8", errors="replace")

    def _keep(self, key: tuple[str, str], kept: _Kept) -> None:
        self._kept[key] = kept
        self._kept.move_to_end(key)
        while len(self._kept) > MOST_TOKENS:
            self._kept.popitem(last=False)

    def _say(self, member: str, reason: str) -> None:
        """Log when a member begins or ceases to give tokens."""
        if self._said.get(member) == reason:
            return
        self._said[member] = reason
        if reason:
            log.warning("member_gives_no_page_tokens", member=member, reason=reason)
        else:
            log.info("member_gives_page_tokens", member=member)


def find_token(page: str) -> str:
    """The build token in a launch page of BinderHub's; "" when there is none."""
    for place in _PLACES:
        found = place.search(page)
        if found is not None:
            return found["token"]
    return ""


def _kept_until(token: str, *, now: float) -> float:
    """When the token is to be asked for anew, in seconds since 1970."""
    if not token:
        return now + NO_TOKEN_SECONDS
    try:
        claims = jwt.decode(token, options={"verify_signature": False, "verify_exp": False})
        return min(float(claims["exp"]) - EARLY_SECONDS, now + KEPT_SECONDS)
    except (jwt.PyJWTError, KeyError, TypeError, ValueError):
        return now  # good for once
