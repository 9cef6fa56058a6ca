"""GitLab's REST API, as far as refs need it: which commit is this ref?

`HEAD` stands for the default branch. A project that was moved answers with a redirect
to its number; a 404 says in its message whether the project or the commit is missing.
https://docs.gitlab.com/api/commits/#retrieve-a-commit
"""

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
from binder_federation.config.providers import GitLabSettings


def make_gitlab_client(parts: ProviderParts) -> ProviderApi:
    """Asks GitLab's API with the token of the settings."""
    settings = parts.settings.gitlab
    return ProviderApi(
        id="gl",
        name="GitLab",
        url=(settings.api_url or f"{settings.url.rstrip('/')}/api/v4").rstrip("/"),
        client=parts.client,
        timeout_seconds=parts.settings.timeout_seconds,
        metrics=parts.metrics,
        clock=parts.clock,
        headers=_authorization(settings),
    )


class GitLabApi:
    """Questions about commits."""

    def __init__(self, *, api: ProviderApi) -> None:
        self._api = api

    async def fetch_commit(self, project: str, ref: str, known: Resolved | None) -> Resolution:
        """Which commit `ref` of `project` (`group/…/name`) stands for now."""
        return await self._api.within_deadline(self._fetch_commit(project, ref, known))

    async def _fetch_commit(self, project: str, ref: str, known: Resolved | None) -> Resolution:
        headers = {"If-None-Match": known.etag} if known is not None and known.etag else {}
        address = f"/projects/{quote(project, safe='')}"
        path = f"{address}/repository/commits/{quote(ref, safe='')}?stats=false"
        response = await self._api.get(path, headers)
        match response.status_code:
            case 200:
                return self._commit_in(response)
            case 304 if known is not None:
                return Unchanged()
            case 404:
                return await self._tell_what_is_missing(response, project, ref)
            case _:
                return self._api.refusal(response, project)

    async def _tell_what_is_missing(
        self, response: httpx.Response, project: str, ref: str
    ) -> Resolution:
        message = str(json_object(response).get("message", ""))
        if "project" not in message.lower() and "commit" not in message.lower():
            response = await self._api.get(f"/projects/{quote(project, safe='')}")
            if response.status_code not in (200, 404):
                return self._api.refusal(response, project)
            message = "commit" if response.status_code == 200 else "project"
        if "project" in message.lower():
            return Missing("repository", f"GitLab has no project {project}, or it is private.")
        if ref == "HEAD":
            return Missing("ref", f"{project} is empty: it has no commit yet.")
        return Missing("ref", f"{project} has no branch, tag or commit {ref}.")

    def _commit_in(self, response: httpx.Response) -> Resolution:
        commit = json_object(response).get("id")
        if not isinstance(commit, str) or not is_commit_id(commit):
            return self._api.strange()
        return Resolved(commit.lower(), etag=response.headers.get("ETag", ""))


def _authorization(settings: GitLabSettings) -> dict[str, str]:
    if settings.private_token is not None:
        return {"PRIVATE-TOKEN": settings.private_token.get_secret_value()}
    if settings.access_token is not None:
        return {"Authorization": f"Bearer {settings.access_token.get_secret_value()}"}
    return {}
