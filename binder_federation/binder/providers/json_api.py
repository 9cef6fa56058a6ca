"""Asks the API of a data repository: one question, one answer of a known shape.

Retries what fails in passing, keeps one deadline, sees rate limits
(https://developers.zenodo.org/#rate-limiting), and turns everything else into our errors.
Answers are not asked for conditionally: where these sites send an ETag, it is the number
of a record's revision, and the same for another record. Unlike `api_client.py`, which
brings credentials to one host, this one brings nothing and goes where it is sent, if
`web_access.py` allows it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TypeVar

import httpx
import structlog
from pydantic import BaseModel, ConfigDict, ValidationError
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from binder_federation.binder.errors import (
    ProviderUnavailable,
    RefNotFound,
    RepositoryNotFound,
)
from binder_federation.binder.providers.base import Missing, Resolution, Resolved, Unavailable
from binder_federation.binder.providers.metrics import ProviderMetrics
from binder_federation.binder.providers.rate_limits import limit_in, remaining_in
from binder_federation.binder.providers.web_access import WebAccess

log = structlog.get_logger(__name__)

_ATTEMPTS = 3
_MOST_BYTES = 16_000_000
_MOST_OF_A_REFUSAL = 65_536

_NOT_PUBLIC = (401, 403, 451)
_GONE = (400, 404, 410)
"""400 is what some of these sites say to an id that they could never have given."""


class Answer(BaseModel):
    """The base of what APIs answer: what we do not know of is left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")


AnswerT = TypeVar("AnswerT", bound=Answer)


class _Passing(Exception):
    """The server failed; it may not the next time."""


class JsonApi:
    """One site's API. `provider` is our id of it, `name` the one that people know."""

    def __init__(
        self,
        *,
        provider: str,
        name: str,
        access: WebAccess,
        origins: Collection[str],
        timeout_seconds: float,
        metrics: ProviderMetrics,
        clock: Callable[[], float],
    ) -> None:
        self._provider = provider
        self._name = name
        self._access = access
        self._origins = tuple(origins)
        self._timeout_seconds = timeout_seconds
        self._metrics = metrics
        self._clock = clock

    async def fetch(
        self,
        url: str,
        shape: type[AnswerT],
        *,
        missing: str,
        parameters: Mapping[str, str] | None = None,
    ) -> AnswerT:
        """The answer at `url`. `missing` is the sentence for when there is none.

        Raises `RepositoryNotFound` with it, `SpecBanned`, and `ProviderUnavailable` when the
        site does not answer, limits us, or answers something else.
        """
        target = str(httpx.URL(url, params=parameters)) if parameters else url
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return shape.model_validate_json(await self._read_with_retries(target, missing))
        except TimeoutError as error:
            raise ProviderUnavailable(
                f"{self._name} did not answer within {self._timeout_seconds:g} seconds."
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL, _Passing) as error:
            log.warning("provider_unreachable", provider=self._provider, error=repr(error))
            raise ProviderUnavailable(f"{self._name} does not answer now.") from error
        except ValidationError as error:
            log.warning("provider_answer_strange", provider=self._provider, errors=error.errors())
            raise self._strange() from error

    async def _read_with_retries(self, url: str, missing: str) -> bytes:
        retrying = AsyncRetrying(
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            retry=retry_if_exception_type((httpx.TransportError, _Passing)),
            reraise=True,
        )
        body: bytes = await retrying(self._read, url, missing)
        return body

    async def _read(self, url: str, missing: str) -> bytes:
        headers = {"Accept": "application/json"}
        async with self._access.open(url, origins=self._origins, headers=headers) as response:
            self._observe(response)
            if response.status_code != httpx.codes.OK:
                raise self._refusal(await _with_body(response), missing)
            body = await _read_some(response, _MOST_BYTES)
            if len(body) > _MOST_BYTES:
                raise self._strange()
            return body

    def _refusal(self, response: httpx.Response, missing: str) -> Exception:
        status = response.status_code
        limit = limit_in(response, name=self._name, now=self._clock())
        if limit is not None:
            seconds = limit.retry_after_seconds
            log.warning("provider_rate_limited", provider=self._provider, seconds=seconds)
            return ProviderUnavailable(limit.message, retry_after_seconds=seconds)
        if status in _GONE:
            return RepositoryNotFound(missing)
        if status in _NOT_PUBLIC:
            return RepositoryNotFound(f"{self._name} does not give access to it.")
        log.warning("provider_answer_unexpected", provider=self._provider, status=status)
        return _Passing(f"status {status}") if status >= 500 else self._strange()

    def _observe(self, response: httpx.Response) -> None:
        remaining = remaining_in(response)
        if remaining is not None:
            self._metrics.observe_requests_left(self._provider, remaining)

    def _strange(self) -> ProviderUnavailable:
        return ProviderUnavailable(f"{self._name} gave an answer that cannot be understood.")


async def _read_some(response: httpx.Response, most: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > most:
            break
    return bytes(body[: most + 1])


async def _with_body(response: httpx.Response) -> httpx.Response:
    """The same answer with the beginning of its body."""
    text = await _read_some(response, _MOST_OF_A_REFUSAL)
    headers = {name: value for name, value in response.headers.items() if "ratelimit" in name}
    headers |= {"retry-after": response.headers.get("retry-after", "")}
    return httpx.Response(response.status_code, headers=headers, content=text)


async def as_resolution(answer: Awaitable[Resolved], *, is_one_site: bool = True) -> Resolution:
    """What an answer, or the error instead of it, comes to for a resolver.

    A resolver that is told to wait leaves the whole provider alone. Where a provider is many
    sites (`is_one_site=False`), it is not told: one of them must not stop the others.
    """
    try:
        return await answer
    except RefNotFound as error:
        return Missing("ref", error.message)
    except RepositoryNotFound as error:
        return Missing("repository", error.message)
    except ProviderUnavailable as error:
        return Unavailable(error.message, error.retry_after_seconds if is_one_site else None)
