"""Asks a provider over HTTP: what every question needs, whoever it is put to.

One deadline for all requests of a question, retries of what failed in passing, what is
left of our quota counted, and the sentences for when there is no answer. How a request is
sent and which statuses mean what is the business of the two who build on this:
`api_client.py` brings credentials to one host, `json_api.py` brings nothing and goes
where it is sent.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

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

from binder_federation.binder.providers.base import Unavailable
from binder_federation.binder.providers.metrics import ProviderMetrics
from binder_federation.binder.providers.rate_limits import limit_in, remaining_in

log = structlog.get_logger(__name__)

_ATTEMPTS = 3

AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Asks one provider. `id` names it in metrics and logs, `name` in sentences.

    `clock` is in seconds since 1970.
    """

    id: str
    name: str
    timeout_seconds: float
    metrics: ProviderMetrics
    clock: Callable[[], float]

    async def within_deadline(self, question: Awaitable[AnswerT]) -> AnswerT | Unavailable:
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
            return self.silent()

    async def ask(self, send: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        """What `send` brings; it is called again when that failed in passing.

        Raises httpx's errors; `within_deadline` turns them into an answer.
        """
        retrying = AsyncRetrying(
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            retry=retry_if_exception_type(httpx.TransportError) | retry_if_result(_is_transient),
            retry_error_callback=_last_answer,
        )
        response: httpx.Response = await retrying(send)
        remaining = remaining_in(response)
        if remaining is not None:
            self.metrics.observe_requests_left(self.id, remaining)
        return response

    def limit(self, response: httpx.Response) -> Unavailable | None:
        """The rate limit that an answer is about, if it is about one."""
        limit = limit_in(response, name=self.name, now=self.clock())
        if limit is not None:
            log.warning(
                "provider_rate_limited",
                provider=self.id,
                retry_after_seconds=limit.retry_after_seconds,
            )
        return limit

    def unexpected(self, response: httpx.Response) -> Unavailable:
        """For an answer with a status that nobody knows a meaning of."""
        status = response.status_code
        log.warning("provider_answer_unexpected", provider=self.id, status=status)
        return self.silent() if status >= 500 else self.strange()

    def silent(self) -> Unavailable:
        """For no answer, or a server's failure."""
        return Unavailable(f"{self.name} does not answer now.")

    def strange(self) -> Unavailable:
        """For an answer of another shape than it should have."""
        return Unavailable(f"{self.name} gave an answer that cannot be understood.")


def _last_answer(state: RetryCallState) -> httpx.Response:
    """What the last attempt brought: an answer, or the exception that it raises here."""
    assert state.outcome is not None  # noqa: S101 - an attempt was made
    answer: httpx.Response = state.outcome.result()
    return answer


def _is_transient(response: httpx.Response) -> bool:
    return response.status_code >= 500
