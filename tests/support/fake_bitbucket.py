"""A server that behaves like Bitbucket Cloud: its REST API for refs, and the repositories.

https://developer.atlassian.com/cloud/bitbucket/rest/api-group-refs/,
https://support.atlassian.com/bitbucket-cloud/docs/api-request-limits/
"""

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from binder_federation.config.providers import BitbucketSettings
from tests.support.fake_forge import FakeForge, commit_of, conditional
from tests.support.git_repositories import GitRepository


class FakeBitbucket(FakeForge):
    """Bitbucket Cloud."""

    api_path = "/2.0"

    def __init__(self, root: Path, *, quota: int = 5000) -> None:
        super().__init__(root, quota=quota)
        self.token: str | None = None
        self.login: tuple[str, str] | None = None
        self.private: set[str] = set()
        """Repositories that only members may see."""

    def settings(self, **further: object) -> BitbucketSettings:
        """Settings of provider `bitbucket` for this server."""
        return BitbucketSettings.model_validate(
            {"url": self.url, "api_url": self.api_url, **further}
        )

    def is_known(self, request: web.Request) -> bool:
        """A token, a login, or nothing."""
        good: set[str | None] = {None}
        if self.token is not None:
            good.add(f"Bearer {self.token}")
        if self.login is not None:
            good.add("Basic " + base64.b64encode(":".join(self.login).encode()).decode())
        return request.headers.get("Authorization") in good

    def answer(self, request: web.Request) -> web.Response:
        """Repositories, refs, commits."""
        parts = request.path.removeprefix(self.api_path).split("/")[1:]
        if len(parts) < 3 or parts[0] != "repositories":
            return self.error(404, "Resource not found")
        name = f"{parts[1]}/{parts[2]}"
        if name in self.renamed:
            return self._moved(request, name)
        repository = self.repository(name)
        if repository is None:
            return self.error(404, f"Repository {name} not found")
        if name in self.private:
            return self.error(403, "Your credentials lack one or more required privilege scopes.")
        match parts[3:]:
            case []:
                return self._described(request, repository)
            case ["refs"]:
                return self._refs(request, repository)
            case ["commit", commit]:
                sha = commit_of(repository, commit) if re.fullmatch("[0-9a-f]+", commit) else None
                return (
                    conditional(request, {"hash": sha}, sha)
                    if sha
                    else self.error(404, f"Commit not found: {commit}")
                )
            case _:
                return self.error(404, "Resource not found")

    def error(self, status: int, message: str) -> web.Response:
        """A message, in an object of type `error`."""
        body = {"type": "error", "error": {"message": message}}
        return web.json_response(body, status=status)

    def over_quota(self, request: web.Request, retry_after_seconds: int | None) -> web.Response:
        """It does not say how long."""
        answer = self.error(429, "Rate limit for this resource has been exceeded")
        if retry_after_seconds is not None:
            answer.headers["Retry-After"] = str(retry_after_seconds)
        return answer

    def limit_headers(self) -> Mapping[str, str]:
        """Nothing of what is left."""
        return {
            "X-RateLimit-Limit": str(self.quota_limit),
            "X-RateLimit-Resource": "api-repositories",
            "X-RateLimit-NearLimit": "true" if self.quota < self.quota_limit / 5 else "false",
        }

    def _described(self, request: web.Request, repository: GitRepository) -> web.Response:
        branch = repository.git("symbolic-ref", "--short", "HEAD")
        is_empty = not repository.git("for-each-ref", "--count=1")
        body = {"mainbranch": None if is_empty else {"name": branch, "type": "branch"}}
        return conditional(request, body, str(body))

    def _refs(self, request: web.Request, repository: GitRepository) -> web.Response:
        asked = re.fullmatch(r'name="((?:[^"\\]|\\.)*)"', request.query.get("q", ""))
        if asked is None:
            return self.error(400, "Bad query")
        name = asked[1].replace(r"\"", '"')
        values: list[dict[str, Any]] = [
            {"name": name, "type": kind, "target": {"hash": sha}}
            for kind, folder in (("tag", "tags"), ("branch", "heads"))
            if (sha := commit_of(repository, f"refs/{folder}/{name}"))
        ]
        return conditional(request, {"values": values}, str(values))

    def _moved(self, request: web.Request, name: str) -> web.Response:
        new = self.renamed[name]
        base = new if "://" in new else f"{self.api_url}/repositories/{new}"
        location = base + request.raw_path.removeprefix(f"{self.api_path}/repositories/{name}")
        return web.json_response({}, status=301, headers={"Location": location})
