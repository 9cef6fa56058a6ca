"""GitHub's REST API about gists: whose it is, whether it is public, which commits it has.

One answer tells all of it, with an ETag; its history begins with the latest commit.
https://docs.github.com/en/rest/gists/gists#get-a-gist
"""

from collections.abc import Mapping
from typing import Any

import httpx

from binder_federation.binder.providers.api_client import ProviderApi, json_object
from binder_federation.binder.providers.base import (
    Missing,
    Resolution,
    Resolved,
    Unavailable,
    Unchanged,
)
from binder_federation.binder.providers.refs import is_commit_id


class GistApi:
    """Questions about gists' commits."""

    def __init__(self, *, api: ProviderApi, allow_secret: bool) -> None:
        self._api = api
        self._allow_secret = allow_secret

    async def fetch_commit(self, repository: str, ref: str, known: Resolved | None) -> Resolution:
        """Which commit `ref` (`HEAD`, or the beginning of an id) of `user/id` stands for now."""
        if is_commit_id(ref) and self._allow_secret:
            return Resolved(ref.lower())
        answer = await self._api.within_deadline(self._fetch(repository, ref, known))
        if is_commit_id(ref) and isinstance(answer, Unavailable):
            # All that is left open is whether the gist is listed; its reader knew where it is.
            return Resolved(ref.lower())
        return answer

    async def _fetch(self, gist: str, ref: str, known: Resolved | None) -> Resolution:
        gist_id = gist.partition("/")[2]
        headers = {"Accept": "application/vnd.github+json"}
        if known is not None and known.etag:
            headers["If-None-Match"] = known.etag
        response = await self._api.get(f"/gists/{gist_id}", headers)
        match response.status_code:
            case 200:
                return self._read(response, gist, ref)
            case 304 if known is not None:
                return Unchanged()
            case 404:
                return Missing("repository", f"GitHub has no gist {gist_id}.")
            case _:
                return self._api.refusal(response, gist)

    def _read(self, response: httpx.Response, name: str, ref: str) -> Resolution:
        gist = json_object(response)
        commits = _commits(gist)
        if not commits or not isinstance(gist.get("public"), bool):
            return self._api.strange()
        owner = _owner(gist)
        if owner and owner.casefold() != name.partition("/")[0].casefold():
            return Missing("repository", f"The gist {name} belongs to {owner}.")
        if not gist["public"] and not self._allow_secret:
            return Missing("repository", f"The gist {name} is secret; those are not launched here.")
        etag = response.headers.get("ETag", "")
        if ref == "HEAD":
            return Resolved(commits[0], etag)
        if is_commit_id(ref):
            return Resolved(ref.lower(), etag)
        found = [commit for commit in commits if commit.startswith(ref.lower())]
        if len(found) != 1:
            return Missing("ref", f"The gist {name} has no commit {ref}.")
        return Resolved(found[0], etag)


def _commits(gist: Mapping[str, Any]) -> list[str]:
    """Full commit ids, the latest first."""
    history = gist.get("history")
    entries = history if isinstance(history, list) else []
    versions = [entry.get("version") for entry in entries if isinstance(entry, dict)]
    return [it.lower() for it in versions if isinstance(it, str) and is_commit_id(it)]


def _owner(gist: Mapping[str, Any]) -> str:
    """The owner's name; empty for an anonymous gist."""
    owner = gist.get("owner")
    login = owner.get("login") if isinstance(owner, dict) else None
    return login if isinstance(login, str) else ""
