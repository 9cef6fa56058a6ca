"""GitHub's REST API, as far as refs need it: which commit is this ref?

Answers carry an ETag; asking again with it costs nothing of our quota when nothing
changed. A 404 stands for a missing repository and for some missing refs, which one
more request tells apart. `api_client.py` does the asking.
https://docs.github.com/en/rest/commits/commits#get-a-commit
"""

import base64
from urllib.parse import quote

import httpx

from binder_federation.binder.providers.api_client import ProviderApi, json_object
from binder_federation.binder.providers.base import (
    Missing,
    Resolution,
    Resolved,
    Unchanged,
)
from binder_federation.binder.providers.parts import ProviderParts
from binder_federation.binder.providers.refs import is_commit_id
from binder_federation.config.providers import GitHubSettings


def make_github_client(parts: ProviderParts) -> ProviderApi:
    """Asks GitHub's API with the credentials of the settings; `gh` and `gist` share its quota."""
    settings = parts.settings.github
    return ProviderApi(
        id="gh",
        name="GitHub",
        url=settings.api_url.rstrip("/"),
        client=parts.client,
        timeout_seconds=parts.settings.timeout_seconds,
        metrics=parts.metrics,
        clock=parts.clock,
        headers={"X-GitHub-Api-Version": "2022-11-28", **_authorization(settings)},
    )


class GitHubApi:
    """Questions about commits."""

    def __init__(self, *, api: ProviderApi) -> None:
        self._api = api

    async def fetch_commit(self, repository: str, ref: str, known: Resolved | None) -> Resolution:
        """Which commit `ref` of `repository` (`owner/name`) stands for now."""
        return await self._api.within_deadline(self._fetch_commit(repository, ref, known))

    async def _fetch_commit(self, repository: str, ref: str, known: Resolved | None) -> Resolution:
        headers = {"Accept": "application/vnd.github.sha"}
        if known is not None and known.etag:
            headers["If-None-Match"] = known.etag
        path = f"/repos/{repository}/commits/{quote(ref, safe='')}"
        response = await self._api.get(path, headers)
        match response.status_code:
            case 200:
                return self._commit_in(response)
            case 304 if known is not None:
                return Unchanged()
            case 404:
                return await self._tell_what_is_missing(repository, ref)
            case 422:
                return _missing_ref(repository, ref)
            case 409:
                return Missing("ref", f"{repository} is empty: it has no commit yet.")
            case _:
                return self._api.refusal(response, repository)

    async def _tell_what_is_missing(self, repository: str, ref: str) -> Resolution:
        """After a 404, which GitHub gives for a missing repository and some missing refs."""
        response = await self._api.get(f"/repos/{repository}")
        match response.status_code:
            case 200:
                return _missing_ref(repository, ref)
            case 404:
                return Missing(
                    "repository", f"GitHub has no repository {repository}, or it is private."
                )
            case _:
                return self._api.refusal(response, repository)

    def _commit_in(self, response: httpx.Response) -> Resolution:
        """The commit id in an answer, which is the id alone or a JSON object with `sha`."""
        text = response.text.strip()
        if "json" in response.headers.get("Content-Type", ""):
            text = str(json_object(response).get("sha", ""))
        if not is_commit_id(text):
            return self._api.strange()
        return Resolved(text.lower(), etag=response.headers.get("ETag", ""))


def _authorization(settings: GitHubSettings) -> dict[str, str]:
    if settings.token is not None:
        return {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
    if settings.client_id and settings.client_secret is not None:
        pair = f"{settings.client_id}:{settings.client_secret.get_secret_value()}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}


def _missing_ref(repository: str, ref: str) -> Missing:
    return Missing("ref", f"{repository} has no branch, tag or commit {ref}.")
