"""Whether a launch may begin: network, spec, build token or rate limit, quota, in that order.

What cannot be parsed is refused before any of these, and nothing is counted for a launch
that a ban refuses. A launch that is gone on with was admitted when it began: only bans hold
for it. Whoever sends the admin token is not limited: that is how an operator's own scripts
build ahead.
"""

import hmac
from collections.abc import Callable, Mapping

import structlog
from aiohttp import web

from binder_federation.binder.errors import NotAuthorized, RateLimited
from binder_federation.binder.providers import Repositories
from binder_federation.binder.spec import LaunchSpec
from binder_federation.binder.visitor_addresses import AddressSet
from binder_federation.config.limits import BotSettings
from binder_federation.federation.core.rate_limit import Allowance, say_wait
from binder_federation.federation.handlers.public_url import (
    PROXIES,
    client_address,
    own_host,
)
from binder_federation.federation.launch_request import LaunchRequest
from binder_federation.federation.limits.bots import Bots
from binder_federation.federation.limits.live_policy import GetPolicy
from binder_federation.federation.limits.quotas import Quotas
from binder_federation.federation.limits.rate_limiter import RateLimiter
from binder_federation.federation.visitor_tokens import TokenStanding, VisitorTokens, page_origin
from binder_federation.runtime.errors import ServiceError

log = structlog.get_logger(__name__)

LIMIT_HEADERS: web.RequestKey[Mapping[str, str]] = web.RequestKey("rate-limit-headers")
"""Where a request keeps the headers that its answer gets."""
NO_HEADERS: Mapping[str, str] = {}
LOOPBACK = "127.0.0.1"


class Admission:
    """Admits launches, and makes the tokens with which our own pages launch."""

    def __init__(
        self,
        *,
        policy: GetPolicy,
        repositories: Repositories,
        tokens: VisitorTokens,
        limiter: RateLimiter,
        quotas: Quotas,
        clock: Callable[[], float],
        requires_token: bool = False,
        admin_token: str = "",
        bots: Bots | None = None,
    ) -> None:
        self._policy = policy
        self._repositories = repositories
        self._tokens = tokens
        self._limiter = limiter
        self._quotas = quotas
        self._clock = clock
        self._requires_token = requires_token
        self._admin_token = admin_token.encode()
        self._has_warned = False
        self._bots = bots or Bots(BotSettings())

    def page_token(self, request: web.Request, raw_path: str) -> str:
        """What the page at `/v2/<raw_path>` sends as `build_token`; empty for no valid link."""
        try:
            spec = self._repositories.parse(raw_path)
        except ServiceError:
            return ""
        return self._tokens.sign(spec, _origin(request), address=client_address(request))

    def check_bot(self, request: web.Request) -> None:
        """Raises `BotRefused` for a program that says that it is a crawler."""
        self._bots.check(request.headers.get("User-Agent", ""))

    def check_address(self, request: web.Request) -> None:
        """Raises `NetworkBanned` for a visitor from a banned network."""
        self._policy().bans.check_address(client_address(request))

    def check_bans(self, address: str, spec: LaunchSpec) -> None:
        """Raises `NetworkBanned` or `SpecBanned`."""
        bans = self._policy().bans
        bans.check_address(address)
        bans.check_spec(spec)

    def has_token(self, request: web.Request, spec: LaunchSpec, *, is_resumed: bool) -> bool:
        """Whether the request brings a build token that holds now.

        Raises `NotAuthorized` for a wrong one, not for one that is too old; a launch that is
        gone on with is refused for neither.
        """
        token = _token(request)
        if not token:
            return False
        try:
            address = client_address(request)
            standing = self._tokens.check(token, spec, _origin(request), address=address)
        except NotAuthorized:
            if is_resumed:
                return False
            raise
        return standing is TokenStanding.VALID

    def entry(self, request: web.Request, wanted: LaunchRequest) -> "Entry":
        """The admission of one launch, to be taken when it turns out that it begins."""
        return Entry(self, request, wanted)

    async def admit(
        self, request: web.Request, wanted: LaunchRequest, *, is_counted: bool = True
    ) -> None:
        """Let a launch begin, or raise why not. With `is_counted` false nothing is noted of it."""
        if not self._is_admin(request):
            await self._check_rate(request, wanted, is_counted)
        if not wanted.is_build_only:
            self._quotas.check(wanted.spec.affinity_key)

    async def _check_rate(
        self, request: web.Request, wanted: LaunchRequest, is_counted: bool
    ) -> None:
        has_page = wanted.has_build_token
        if self._requires_token and not has_page:
            raise NotAuthorized(
                "Launches here need a build token.",
                advice="Open the link in a browser: the page has one. One that was open while you "
                "changed to another network has to be loaded again.",
            )
        policy, limiter = self._policy(), self._limiter
        address = wanted.client_address
        limit = policy.rate_limit
        if not limit.launches or (has_page and not limit.launches_with_page):
            return
        if _is_exempt(request, address, policy.exempt):
            return
        allowance = (
            await limiter.count(address, has_page=has_page)
            if is_counted
            else limiter.peek(address, has_page=has_page)
        )
        request[LIMIT_HEADERS] = _headers(allowance)
        if allowance.is_over:
            self._warn_of_proxy(request)
            raise _rate_limited(allowance, max(1.0, allowance.resets_at - self._clock()))

    def _is_admin(self, request: web.Request) -> bool:
        if not self._admin_token or "Authorization" not in request.headers:
            return False
        return hmac.compare_digest(_bearer(request).encode(), self._admin_token)

    def _warn_of_proxy(self, request: web.Request) -> None:
        if self._has_warned or not _is_forwarded(request):
            return
        self._has_warned = True
        log.warning(
            "forwarded_by_untrusted_proxy",
            peer=request.remote,
            advice="visitors behind it count as one: name it in trusted_proxies if it is yours",
        )


def _is_exempt(request: web.Request, address: str, exempt: AddressSet) -> bool:
    # A proxy on this machine that nobody told us to trust does not make visitors local.
    if _is_forwarded(request):
        return False
    return address in exempt or (LOOPBACK in exempt and address == _own_address(request))


def _own_address(request: web.Request) -> str:
    """The address that was connected to: whoever comes from it is at this machine."""
    own = request.transport.get_extra_info("sockname") if request.transport else None
    return own[0] if own else ""


class Entry:
    """Admits one launch, once however often it is taken."""

    def __init__(self, admission: Admission, request: web.Request, wanted: LaunchRequest) -> None:
        self._admission = admission
        self._request = request
        self._wanted = wanted
        self._is_taken = False

    async def take(self) -> None:
        """Let the launch begin, or raise why not."""
        if not self._is_taken:
            self._is_taken = True
            await self._admission.admit(self._request, self._wanted)


async def add_limit_headers(request: web.Request, response: web.StreamResponse) -> None:
    """An `on_response_prepare` signal: what is left of the visitor's rate limit."""
    if LIMIT_HEADERS in request:
        response.headers.update(request[LIMIT_HEADERS])


def limit_headers(request: web.Request) -> Mapping[str, str]:
    """The same, for an answer that no signal is sent for."""
    found: Mapping[str, str] = request.get(LIMIT_HEADERS, NO_HEADERS)
    return found


def _headers(allowance: Allowance) -> Mapping[str, str]:
    """BinderHub's names; the reset is in seconds since 1970."""
    return {
        "x-ratelimit-limit": str(allowance.limit),
        "x-ratelimit-remaining": str(allowance.remaining),
        "x-ratelimit-reset": str(int(allowance.resets_at)),
    }


def _rate_limited(allowance: Allowance, wait_seconds: float) -> RateLimited:
    return RateLimited(
        f"There were more than {allowance.limit} launches from your network lately. "
        f"You can launch again in {say_wait(wait_seconds)}.",
        advice="Open the link in a browser instead of a script: our own page may launch more.",
        retry_after_seconds=wait_seconds,
    )


def _is_forwarded(request: web.Request) -> bool:
    """Whether somebody speaks for others whom we do not believe."""
    headers = request.headers
    if not ("X-Forwarded-For" in headers or "Forwarded" in headers or "X-Real-IP" in headers):
        return False
    proxies = request.app.get(PROXIES)
    return proxies is None or not proxies.trusts(request.remote or "")


def _origin(request: web.Request) -> str:
    return page_origin(request.headers.get("Origin", ""), own_host(request))


def _token(request: web.Request) -> str:
    """The build token: of the query, or a bearer token in the form of one."""
    if "?" in request.raw_path and (given := request.query.get("build_token")):
        return given
    bearer = _bearer(request) if "Authorization" in request.headers else ""
    return bearer if bearer.count(".") == 2 else ""


def _bearer(request: web.Request) -> str:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""
