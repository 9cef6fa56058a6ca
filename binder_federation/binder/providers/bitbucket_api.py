"""Bitbucket Cloud's REST API (2.0), as far as refs need it: which commit is this ref?

Branches and tags are looked up by their name in one list, since a name with a `/` in
the path would be read as two parts; what is none of them may be an abbreviated commit
id. The default branch's name is asked for first when it is `HEAD`.
https://developer.atlassian.com/cloud/bitbucket/rest/api-group-refs/
https://developer.atlassian.com/cloud/bitbucket/rest/intro/#filtering
"""

import base64
from collections.abc import Mapping
from typing import Any
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
from binder_federation.binder.providers.refs import is_commit_id, looks_abbreviated
from binder_federation.config.providers import BitbucketSettings

_FIELDS = "values.name,values.type,values.target.hash"


def make_bitbucket_client(parts: ProviderParts) -> ProviderApi:
    """Asks Bitbucket's API with the credentials of the settings."""
    settings = parts.settings.bitbucket
    return ProviderApi(
        id="bitbucket",
        name="Bitbucket",
        url=settings.api_url.rstrip("/"),
        client=parts.client,
        timeout_seconds=parts.settings.timeout_seconds,
        metrics=parts.metrics,
        clock=parts.clock,
        headers={"Accept": "application/json", **_authorization(settings)},
    )


class BitbucketApi:
    """Questions about commits."""

    def __init__(self, *, api: ProviderApi) -> None:
        self._api = api

    async def fetch_commit(self, repository: str, ref: str, known: Resolved | None) -> Resolution:
        """Which commit `ref` of `repository` (`workspace/name`) stands for now."""
        return await self._api.within_deadline(self._fetch_commit(repository, ref, known))

    async def _fetch_commit(self, repository: str, ref: str, known: Resolved | None) -> Resolution:
        if ref != "HEAD":
            return await self._fetch_named(repository, ref, known)
        response = await self._api.get(f"/repositories/{repository}?fields=mainbranch.name")
        if response.status_code != 200:
            return self._failure(response, repository)
        branch = _text_at(json_object(response), "mainbranch", "name")
        if not branch:
            return Missing("ref", f"{repository} is empty: it has no commit yet.")
        return await self._fetch_named(repository, branch, known)

    async def _fetch_named(self, repository: str, name: str, known: Resolved | None) -> Resolution:
        headers = {"If-None-Match": known.etag} if known is not None and known.etag else {}
        question = quote('name="{}"'.format(name.replace('"', r"\"")), safe="")
        path = f"/repositories/{repository}/refs?q={question}&fields={_FIELDS}"
        response = await self._api.get(path, headers)
        match response.status_code:
            case 200:
                return await self._choose(response, repository, name)
            case 304 if known is not None:
                return Unchanged()
            case _:
                return self._failure(response, repository)

    async def _choose(self, response: httpx.Response, repository: str, name: str) -> Resolution:
        """A branch goes before a tag of the same name, as with git."""
        found = json_object(response).get("values")
        if not isinstance(found, list):
            return self._api.strange()
        refs = [ref for ref in found if isinstance(ref, dict) and ref.get("name") == name]
        refs.sort(key=lambda ref: ref.get("type") != "branch")
        if refs:
            commit = _text_at(refs[0], "target", "hash")
            return self._resolved(commit, response.headers.get("ETag", ""))
        if looks_abbreviated(name):
            return await self._fetch_abbreviated(repository, name)
        return _missing_ref(repository, name)

    async def _fetch_abbreviated(self, repository: str, name: str) -> Resolution:
        response = await self._api.get(f"/repositories/{repository}/commit/{name}?fields=hash")
        match response.status_code:
            case 200:
                return self._resolved(_text_at(json_object(response), "hash"), "")
            case 404:
                return _missing_ref(repository, name)
            case _:
                return self._failure(response, repository)

    def _resolved(self, commit: str, etag: str) -> Resolution:
        return Resolved(commit.lower(), etag) if is_commit_id(commit) else self._api.strange()

    def _failure(self, response: httpx.Response, repository: str) -> Resolution:
        if response.status_code == 404:
            return Missing(
                "repository", f"Bitbucket has no repository {repository}, or it is private."
            )
        return self._api.refusal(response, repository)


def _text_at(body: Mapping[str, Any], *names: str) -> str:
    """The text at a path of names; empty when there is none."""
    value: Any = body
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def _missing_ref(repository: str, name: str) -> Missing:
    return Missing("ref", f"{repository} has no branch, tag or commit {name}.")


def _authorization(settings: BitbucketSettings) -> dict[str, str]:
    if settings.token is not None:
        return {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
    if settings.username and settings.app_password is not None:
        pair = f"{settings.username}:{settings.app_password.get_secret_value()}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}
