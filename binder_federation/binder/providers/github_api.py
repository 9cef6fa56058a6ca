"""GitHub's REST API, as far as refs need it: which commit is this ref?

One question may take several requests: retries of what failed in passing, a renamed
repository's new address, and one more request to tell a missing repository from a
missing ref. All of them share one deadline. Answers carry an ETag; asking again with
it costs nothing of our quota when nothing changed.
https://docs.github.com/en/rest/commits/commits#get-a-commit
https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

import asyncio
import base64
from collections.abc import Callable
from urllib.parse import quote, urljoin, urlsplit

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

from binder_federation.binder.providers.base import (
    Missing,
    Resolution,
    Resolved,
    Unavailable,
    Unchanged,
)
from binder_federation.binder.providers.github_limits import limit_in, remaining_in
from binder_federation.binder.providers.metrics import ProviderMetrics
from binder_federation.binder.providers.refs import is_commit_id
from binder_federation.config.providers import GitHubSettings

log = structlog.get_logger(__name__)

_ATTEMPTS = 3
_REDIRECTS = 3
_NO_ANSWER = "GitHub does not answer now."
_STRANGE_ANSWER = "GitHub gave an answer that cannot be understood."


class GitHubApi:
    """Asks GitHub's API, with the settings' credentials."""

    def __init__(
        self,
        *,
        settings: GitHubSettings,
        client: httpx.AsyncClient,
        timeout_seconds: float,
        metrics: ProviderMetrics,
        clock: Callable[[], float],
    ) -> None:
        self._url = settings.api_url.rstrip("/")
        self._authorization = _authorization(settings)
        self._client = client
        self._timeout_seconds = timeout_seconds
        self._metrics = metrics
        self._clock = clock

    async def fetch_commit(self, repository: str, ref: str, known: Resolved | None) -> Resolution:
        """Which commit `ref` of `repository` (`owner/name`) stands for now."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._fetch_commit(repository, ref, known)
        except TimeoutError:
            return Unavailable(f"GitHub did not answer within {self._timeout_seconds:g} seconds.")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            log.warning("github_unreachable", error=repr(error))
            return Unavailable(_NO_ANSWER)

    async def _fetch_commit(self, repository: str, ref: str, known: Resolved | None) -> Resolution:
        headers = {"Accept": "application/vnd.github.sha"}
        if known is not None and known.etag:
            headers["If-None-Match"] = known.etag
        path = f"/repos/{repository}/commits/{quote(ref, safe='')}"
        response = await self._get(path, headers)
        match response.status_code:
            case 200:
                return _commit_in(response)
            case 304 if known is not None:
                return Unchanged()
            case 404:
                return await self._tell_what_is_missing(repository, ref)
            case 422:
                return _missing_ref(repository, ref)
            case 409:
                return Missing("ref", f"{repository} is empty: it has no commit yet.")
            case _:
                return self._refusal(response, repository)

    async def _tell_what_is_missing(self, repository: str, ref: str) -> Resolution:
        """After a 404, which GitHub gives for a missing repository and some missing refs."""
        response = await self._get(f"/repos/{repository}", {})
        match response.status_code:
            case 200:
                return _missing_ref(repository, ref)
            case 404:
                return Missing(
                    "repository", f"GitHub has no repository {repository}, or it is private."
                )
            case _:
                return self._refusal(response, repository)

    def _refusal(self, response: httpx.Response, repository: str) -> Resolution:
        """What an answer means that is neither a commit nor a missing one."""
        limit = limit_in(response, now=self._clock())
        if limit is not None:
            log.warning("github_rate_limited", retry_after_seconds=limit.retry_after_seconds)
            return limit
        status = response.status_code
        if status == 401:
            log.error("github_credentials_refused", api=self._url)
            return Unavailable("GitHub does not accept the credentials of this service.")
        if status in (403, 451):
            return Missing("repository", f"GitHub does not give access to {repository}.")
        log.warning("github_answer_unexpected", status=status)
        return Unavailable(_NO_ANSWER if status >= 500 else _STRANGE_ANSWER)

    async def _get(self, path: str, headers: dict[str, str]) -> httpx.Response:
        """The answer to one question, after redirects within the API's own host."""
        url = f"{self._url}{path}"
        response = await self._get_with_retries(url, headers)
        for _ in range(_REDIRECTS):
            if response.status_code not in (301, 302, 307, 308):
                break
            url = urljoin(url, response.headers.get("Location", ""))
            if not _is_same_host(url, self._url):
                log.warning("github_redirect_elsewhere", host=urlsplit(url).netloc)
                break
            response = await self._get_with_retries(url, headers)
        return response

    async def _get_with_retries(self, url: str, headers: dict[str, str]) -> httpx.Response:
        retrying = AsyncRetrying(
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            retry=retry_if_exception_type(httpx.TransportError) | retry_if_result(_is_transient),
            retry_error_callback=_last_answer,
        )
        response: httpx.Response = await retrying(
            self._client.get,
            url,
            headers={**self._authorization, "X-GitHub-Api-Version": "2022-11-28", **headers},
            follow_redirects=False,
        )
        remaining = remaining_in(response)
        if remaining is not None:
            self._metrics.observe_requests_left("gh", remaining)
        return response


def _authorization(settings: GitHubSettings) -> dict[str, str]:
    if settings.token is not None:
        return {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
    if settings.client_id and settings.client_secret is not None:
        pair = f"{settings.client_id}:{settings.client_secret.get_secret_value()}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}


def _last_answer(state: RetryCallState) -> httpx.Response:
    """What the last attempt brought: an answer, or the exception that it raises here."""
    assert state.outcome is not None  # noqa: S101 - an attempt was made
    answer: httpx.Response = state.outcome.result()
    return answer


def _is_transient(response: httpx.Response) -> bool:
    return response.status_code >= 500


def _is_same_host(url: str, api_url: str) -> bool:
    """Our credentials go to no other host, nor to the same one in the clear."""
    one, two = urlsplit(url), urlsplit(api_url)
    return (one.scheme, one.netloc.lower()) == (two.scheme, two.netloc.lower())


def _commit_in(response: httpx.Response) -> Resolution:
    """The commit id in an answer, which is the id alone or a JSON object with `sha`."""
    text = response.text.strip()
    if "json" in response.headers.get("Content-Type", ""):
        try:
            body = response.json()
        except ValueError:
            return Unavailable(_STRANGE_ANSWER)
        text = str(body.get("sha", "")) if isinstance(body, dict) else ""
    if not is_commit_id(text):
        return Unavailable(_STRANGE_ANSWER)
    return Resolved(text.lower(), etag=response.headers.get("ETag", ""))


def _missing_ref(repository: str, ref: str) -> Missing:
    return Missing("ref", f"{repository} has no branch, tag or commit {ref}.")
