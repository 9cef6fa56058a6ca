"""Asks a provider's HTTP API, with everything that all of them need.

One question may take several requests: retries of what failed in passing, redirects
(a renamed repository), a second request to tell what is missing. All of them share
one deadline. Credentials go to the API's own host and nowhere else, and what is left
of our quota is counted. `github_api.py` and its neighbours know the questions.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    retry_if_result,
    stop_after_attempt,
    wait_random_exponential,
)

from binder_federation.binder.providers.base import Missing, Resolution, Unavailable
from binder_federation.binder.providers.metrics import ProviderMetrics
from binder_federation.binder.providers.rate_limits import limit_in, remaining_in

log = structlog.get_logger(__name__)

_ATTEMPTS = 3
_REDIRECTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderApi:
    """One provider's API. `id` names it in metrics and logs, `name` in sentences.

    `headers` go with every request (they may hold credentials); `url` has no `/` at its
    end; `clock` is in seconds since 1970.
    """

    id: str
    name: str
    url: str
    client: httpx.AsyncClient
    timeout_seconds: float
    metrics: ProviderMetrics
    clock: Callable[[], float]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    async def within_deadline(self, question: Awaitable[Resolution]) -> Resolution:
        """The answer to `question`, or why there is none in time."""
        try:
            async with asyncio.timeout(self.timeout_seconds):
                return await question
        except TimeoutError:
            return Unavailable(
                f"{self.name} did not answer within {self.timeout_seconds:g} seconds."
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            log.warning("provider_unreachable", provider=self.id, error=repr(error))
            return Unavailable(f"{self.name} does not answer now.")

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """The answer at `path`, after redirects within the API's own host.

        Raises httpx's errors; `within_deadline` turns them into an answer.
        """
        url = f"{self.url}{path}"
        response = await self._get_with_retries(url, headers or {})
        for _ in range(_REDIRECTS):
            if response.status_code not in (301, 302, 303, 307, 308):
                break
            url = urljoin(url, response.headers.get("Location", ""))
            if not _is_same_host(url, self.url):
                log.warning(
                    "provider_redirects_elsewhere", provider=self.id, host=urlsplit(url).netloc
                )
                break
            response = await self._get_with_retries(url, headers or {})
        return response

    def refusal(self, response: httpx.Response, repository: str) -> Resolution:
        """What an answer means that is neither what was asked for nor a plain 404."""
        limit = limit_in(response, name=self.name, now=self.clock())
        if limit is not None:
            log.warning(
                "provider_rate_limited",
                provider=self.id,
                retry_after_seconds=limit.retry_after_seconds,
            )
            return limit
        status = response.status_code
        if status == 401:
            log.error("provider_credentials_refused", provider=self.id, api=self.url)
            return Unavailable(f"{self.name} does not accept the credentials of this service.")
        if status in (403, 410, 451):
            return Missing("repository", f"{self.name} does not give access to {repository}.")
        log.warning("provider_answer_unexpected", provider=self.id, status=status)
        return Unavailable(f"{self.name} does not answer now.") if status >= 500 else self.strange()

    def strange(self) -> Unavailable:
        """For an answer of another shape than it should have."""
        return Unavailable(f"{self.name} gave an answer that cannot be understood.")

    async def _get_with_retries(self, url: str, headers: Mapping[str, str]) -> httpx.Response:
        retrying = AsyncRetrying(
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            retry=retry_if_exception_type(httpx.TransportError) | retry_if_result(_is_transient),
            retry_error_callback=_last_answer,
        )
        response: httpx.Response = await retrying(
            self.client.get, url, headers={**self.headers, **headers}, follow_redirects=False
        )
        remaining = remaining_in(response)
        if remaining is not None:
            self.metrics.observe_requests_left(self.id, remaining)
        return response


def json_object(response: httpx.Response) -> Mapping[str, Any]:
    """The JSON object in an answer; empty when it is something else."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _last_answer(state: RetryCallState) -> httpx.Response:
    """What the last attempt brought: an answer, or the exception that it raises here."""
    assert state.outcome is not None  # noqa: S101 - an attempt was made
    answer: httpx.Response = state.outcome.result()
    return answer


def _is_transient(response: httpx.Response) -> bool:
    return response.status_code >= 500


def _is_same_host(url: str, api_url: str) -> bool:
    """Our credentials go to no other host, nor to the same one in the clear."""
    try:
        one, two = urlsplit(url), urlsplit(api_url)
    except ValueError:
        return False
    return (one.scheme, one.netloc.lower()) == (two.scheme, two.netloc.lower())
