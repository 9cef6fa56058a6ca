"""Asks the API of a provider of repositories, with our credentials.

One question may take several requests: retries, redirects (a renamed repository), a
second request to tell what is missing; `asking.py` puts all of them under one deadline.
Credentials go to the API's own host and nowhere else. `github_api.py` and its neighbours
know the questions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import structlog

from binder_federation.binder.providers.asking import Asker
from binder_federation.binder.providers.base import Missing, Resolution, Unavailable

log = structlog.get_logger(__name__)

_REDIRECTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderApi(Asker):
    """One provider's API.

    `headers` go with every request (they may hold credentials); `url` has no `/` at its end.
    """

    url: str
    client: httpx.AsyncClient
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """The answer at `path`, after redirects within the API's own host.

        Raises httpx's errors; `within_deadline` turns them into an answer.
        """
        url = f"{self.url}{path}"
        response = await self._get(url, headers or {})
        for _ in range(_REDIRECTS):
            if response.status_code not in (301, 302, 303, 307, 308):
                break
            url = urljoin(url, response.headers.get("Location", ""))
            if not _is_same_host(url, self.url):
                log.warning(
                    "provider_redirects_elsewhere", provider=self.id, host=urlsplit(url).netloc
                )
                break
            response = await self._get(url, headers or {})
        return response

    def refusal(self, response: httpx.Response, repository: str) -> Resolution:
        """What an answer means that is neither what was asked for nor a plain 404."""
        limit = self.limit(response)
        if limit is not None:
            return limit
        status = response.status_code
        if status == 401:
            log.error("provider_credentials_refused", provider=self.id, api=self.url)
            return Unavailable(f"{self.name} does not accept the credentials of this service.")
        if status in (403, 410, 451):
            return Missing("repository", f"{self.name} does not give access to {repository}.")
        return self.unexpected(response)

    async def _get(self, url: str, headers: Mapping[str, str]) -> httpx.Response:
        headers = {**self.headers, **headers}
        return await self.ask(
            partial(self.client.get, url, headers=headers, follow_redirects=False)
        )


def json_object(response: httpx.Response) -> Mapping[str, Any]:
    """The JSON object in an answer; empty when it is something else."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _is_same_host(url: str, api_url: str) -> bool:
    """Our credentials go to no other host, nor to the same one in the clear."""
    try:
        one, two = urlsplit(url), urlsplit(api_url)
    except ValueError:
        return False
    return (one.scheme, one.netloc.lower()) == (two.scheme, two.netloc.lower())
