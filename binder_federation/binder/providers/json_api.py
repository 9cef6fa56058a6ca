"""Asks the API of a data repository: one question, one answer of a known shape.

Deadline, retries and rate limits (https://developers.zenodo.org/#rate-limiting) are those
of `asking.py`; everything that is no answer becomes one of our errors.
Answers are not asked for conditionally: where these sites send an ETag, it is the number
of a record's revision, and the same for another record. Unlike `api_client.py`, which
brings credentials to one host, this one brings nothing and goes where it is sent, if
`web_access.py` allows it.
"""

from collections.abc import Awaitable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import httpx
import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from binder_federation.binder.errors import (
    ProviderUnavailable,
    RefNotFound,
    RepositoryNotFound,
)
from binder_federation.binder.providers.asking import Asker
from binder_federation.binder.providers.base import Missing, Resolution, Resolved, Unavailable
from binder_federation.binder.providers.web_access import WebAccess

log = structlog.get_logger(__name__)

_MOST_BYTES = 16_000_000
_MOST_OF_A_REFUSAL = 65_536

_NOT_PUBLIC = (401, 403, 451)
_GONE = (400, 404, 410)
"""400 is what some of these sites say to an id that they could never have given."""


class Answer(BaseModel):
    """The base of what APIs answer: what we do not know of is left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")


AnswerT = TypeVar("AnswerT", bound=Answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonApi(Asker):
    """One site's API. `origins` are those that the operator's settings name."""

    access: WebAccess
    origins: Collection[str]

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
        answer = await self.within_deadline(self._fetch(target, shape, missing))
        if isinstance(answer, Unavailable):
            seconds = answer.retry_after_seconds
            raise ProviderUnavailable(answer.message, retry_after_seconds=seconds)
        return answer

    async def _fetch(self, url: str, shape: type[AnswerT], missing: str) -> AnswerT | Unavailable:
        response = await self.ask(partial(self._read, url))
        if response.status_code != httpx.codes.OK:
            return self._refusal(response, missing)
        if len(response.content) > _MOST_BYTES:
            return self.strange()
        try:
            return shape.model_validate_json(response.content)
        except ValidationError as error:
            log.warning("provider_answer_strange", provider=self.id, errors=error.errors())
            return self.strange()

    async def _read(self, url: str) -> httpx.Response:
        """An answer with as much of its body as we look at."""
        headers = {"Accept": "application/json"}
        async with self.access.open(url, origins=self.origins, headers=headers) as response:
            is_answer = response.status_code == httpx.codes.OK
            return await _with_body(response, _MOST_BYTES if is_answer else _MOST_OF_A_REFUSAL)

    def _refusal(self, response: httpx.Response, missing: str) -> Unavailable:
        """What a status other than 200 means. Raises `RepositoryNotFound`."""
        limit = self.limit(response)
        if limit is not None:
            return limit
        if response.status_code in _GONE:
            raise RepositoryNotFound(missing)
        if response.status_code in _NOT_PUBLIC:
            raise RepositoryNotFound(f"{self.name} does not give access to it.")
        return self.unexpected(response)


async def _with_body(response: httpx.Response, most: int) -> httpx.Response:
    """The same answer with the beginning of its body: up to `most` bytes, and one that is
    too many."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > most:
            break
    headers = {name: value for name, value in response.headers.items() if "ratelimit" in name}
    headers |= {"retry-after": response.headers.get("retry-after", "")}
    return httpx.Response(response.status_code, headers=headers, content=bytes(body[: most + 1]))


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
