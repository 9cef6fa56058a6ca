"""Requests to one repository of a registry: authorized, bounded, tried again.

This is the one layer that retries: what cannot be reached, 429 and 5xx, with growing
pauses or the one that the registry asks for, within the caller's deadline (in the
event loop's time). What comes back is an answer: 404 and other refusals of the
request itself are for the caller to understand.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from binder_federation.cluster_agent.registry.answers import RegistryAnswer
from binder_federation.cluster_agent.registry.authorizer import (
    CHECK_CREDENTIALS,
    Access,
    Authorizer,
    retry_after,
)
from binder_federation.cluster_agent.registry.credentials.base import Credentials, RegistryLogin
from binder_federation.cluster_agent.registry.errors import (
    ImageUnreadable,
    RegistryDenied,
    RegistryUnavailable,
)

log = structlog.get_logger(__name__)

ATTEMPTS = 5
LONGEST_PAUSE_SECONDS = 10.0
MAX_BODY_BYTES = 8_000_000
"""Manifests and image configs are a few thousand; the protocol asks for 4 MiB at least."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    access: Access
    headers: Mapping[str, str]
    params: Mapping[str, str]
    content: bytes | None


class RegistryConnection:
    """Sends requests to `api_url`, with what `credentials` allow there."""

    def __init__(
        self,
        *,
        api_url: str,
        name: str,
        client: httpx.AsyncClient,
        credentials: Credentials,
        timeout_seconds: float,
        clock: Callable[[], float],
        first_pause_seconds: float = 0.5,
    ) -> None:
        """`name` is the repository's; `clock` gives seconds since the epoch."""
        self._api_url = api_url
        self._client = client
        self._credentials = credentials
        self._timeout_seconds = timeout_seconds
        self._first_pause_seconds = first_pause_seconds
        self._authorizer = Authorizer(
            name=name,
            api_url=api_url,
            client=client,
            credentials=credentials,
            timeout_seconds=timeout_seconds,
            clock=clock,
        )

    async def request(
        self,
        method: str,
        path: str,
        *,
        access: Access,
        deadline: float,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> RegistryAnswer:
        """The answer to one request. Raises `RegistryDenied`, `RegistryUnavailable`, and
        `ImageUnreadable` when it is larger than any that is expected here."""
        request = _Request(method, path, access, headers or {}, params or {}, content)
        return await self._retried(deadline, self._send_authorized, request)

    async def fetch_login(self, *, deadline: float) -> RegistryLogin | None:
        """The login for tools that talk to the registry themselves; None if it needs none."""
        return await self._retried(deadline, self._credentials.fetch)

    async def _retried(
        self, deadline: float, action: Callable[..., Awaitable[T]], *arguments: object
    ) -> T:
        growing = wait_random_exponential(
            multiplier=self._first_pause_seconds, max=LONGEST_PAUSE_SECONDS
        )
        attempts = stop_after_attempt(ATTEMPTS)
        now = asyncio.get_running_loop().time
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(RegistryUnavailable),
            wait=lambda state: max(growing(state), _asked_for(state)),
            # A pause that goes beyond the deadline is not begun: the reason is known now.
            stop=lambda state: attempts(state) or now() + state.upcoming_sleep >= deadline,
            before_sleep=_log_retry,
            reraise=True,
        )
        try:
            async with asyncio.timeout_at(deadline):
                return await retrying(action, *arguments)
        except TimeoutError as error:
            raise RegistryUnavailable("The member's registry did not answer in time.") from error

    async def _send_authorized(self, request: _Request) -> RegistryAnswer:
        authorization = await self._authorizer.authorization(request.access)
        response, answer = await self._send(request, authorization)
        if answer.status == 401:
            self._authorizer.learn(response, request.access, authorization)
            authorization = await self._authorizer.authorization(request.access)
            if authorization is None:
                raise RegistryDenied(
                    "The member's registry wants credentials, and there are none.",
                    advice="Set registry.credentials in the member's settings.",
                )
            _, answer = await self._send(request, authorization)
        if answer.status in (401, 403):
            log.warning("registry_denied", path=request.path, codes=sorted(answer.error_codes))
            raise RegistryDenied(
                f"The member's registry does not allow this ({request.access}).",
                advice=f"{CHECK_CREDENTIALS} They need the right to pull, push and, "
                "for cleaning, delete.",
            )
        return answer

    async def _send(
        self, request: _Request, authorization: str | None
    ) -> tuple[httpx.Response, RegistryAnswer]:
        headers = dict(request.headers)
        if authorization:
            headers["Authorization"] = authorization
        try:
            # Layers and configs are often kept elsewhere. Redirects are followed, and httpx
            # does not take our Authorization along to another host.
            async with self._client.stream(
                request.method,
                httpx.URL(self._api_url + request.path).copy_merge_params(dict(request.params)),
                headers=headers,
                content=request.content,
                timeout=self._timeout_seconds,
                follow_redirects=request.method in ("GET", "HEAD"),
            ) as response:
                body = await _read(response)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from error
        _expect_no_failure(response)
        return response, RegistryAnswer(response.status_code, response.headers, body)

    def _unreachable(self, error: Exception) -> RegistryUnavailable:
        log.warning("registry_unreachable", url=self._api_url, error=repr(error))
        if "CERTIFICATE" in str(error):
            return RegistryUnavailable(
                "The certificate of the member's registry is not accepted.",
                advice="Name its authority's certificate in SSL_CERT_FILE of the agent.",
            )
        return RegistryUnavailable(
            "The member's registry does not answer.",
            advice=f"Check that the agent reaches {self._api_url} (registry.url).",
        )


async def _read(response: httpx.Response) -> bytes:
    """The body, if it is not too large."""
    parts, size = [], 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise ImageUnreadable("The image's manifest or config is too large to be one.")
    return b"".join(parts)


def _expect_no_failure(response: httpx.Response) -> None:
    """Raise what is worth another try."""
    status = response.status_code
    if status == 429 or status >= 500:
        raise RegistryUnavailable(
            f"The member's registry answered with status {status}.",
            retry_after_seconds=retry_after(response),
        )
    if response.history and status in (401, 403):
        # Not the registry's refusal: a redirect's signature has run out, say.
        raise RegistryUnavailable("The store behind the member's registry refused a request.")


def _asked_for(state: RetryCallState) -> float:
    """The pause that the registry wants."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RegistryUnavailable) and error.retry_after_seconds is not None:
        return error.retry_after_seconds
    return 0.0


def _log_retry(state: RetryCallState) -> Any:
    error = state.outcome.exception() if state.outcome else None
    log.warning(
        "registry_request_retried",
        attempt=state.attempt_number,
        pause_seconds=round(state.upcoming_sleep, 2),
        reason=getattr(error, "message", ""),
    )
