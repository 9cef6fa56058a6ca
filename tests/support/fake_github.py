"""A server that behaves like GitHub: its REST API for commits and gists, and the repositories.

Answers, headers and JSON bodies are those of the real API (version 2022-11-28):
https://docs.github.com/en/rest/commits/commits, https://docs.github.com/en/rest/gists/gists,
https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

import base64
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web
from pydantic import SecretStr

from binder_federation.config.providers import GistSettings, GitHubSettings
from tests.support.fake_forge import FakeForge, commit_of, conditional
from tests.support.git_repositories import GitRepository

_DOCS = "https://docs.github.com/rest"


class FakeGitHub(FakeForge):
    """GitHub, with gists at the same address."""

    def __init__(self, root: Path, *, quota: int = 5000) -> None:
        super().__init__(root, quota=quota)
        self.token: str | None = None
        """When set, requests that bring another one are refused (401); none at all is fine."""
        self.client: tuple[str, str] | None = None
        self.gists: dict[str, tuple[str | None, bool]] = {}
        """By id: the owner, and whether it is public."""

    def settings(self, *, token: str | None = None) -> GitHubSettings:
        """Settings of provider `gh` for this server."""
        return GitHubSettings(
            url=self.url, api_url=self.api_url, token=SecretStr(token) if token else None
        )

    def gist_settings(self, *, allow_secret: bool = False) -> GistSettings:
        """Settings of provider `gist` for this server."""
        return GistSettings(url=self.url, allow_secret=allow_secret)

    def create_gist(
        self, user: str, gist_id: str, *, is_public: bool = True, is_anonymous: bool = False
    ) -> GitRepository:
        """A new gist of `user`."""
        self.gists[gist_id] = (None if is_anonymous else user, is_public)
        return self.git.create(f"{user}/{gist_id}")

    def is_known(self, request: web.Request) -> bool:
        """A token, a client, or nothing."""
        good: set[str | None] = {None}
        if self.token is not None:
            good.add(f"Bearer {self.token}")
        if self.client is not None:
            good.add("Basic " + base64.b64encode(":".join(self.client).encode()).decode())
        return request.headers.get("Authorization") in good

    def answer(self, request: web.Request) -> web.Response:
        """Commits, repositories, gists."""
        path = request.raw_path.partition("?")[0].removeprefix(self.api_path)
        match path.split("/")[1:]:
            case ["gists", gist_id]:
                return self._gist(request, gist_id)
            case ["repos", owner, name, *rest]:
                return self._repository(request, f"{unquote(owner)}/{unquote(name)}", rest)
            case _:
                return self.error(404, "Not Found")

    def error(self, status: int, message: str) -> web.Response:
        """A message, and where it is documented."""
        body = {"message": message, "documentation_url": _DOCS, "status": str(status)}
        return web.json_response(body, status=status)

    def over_quota(self, request: web.Request, retry_after_seconds: int | None) -> web.Response:
        """The primary limit, or a secondary one."""
        if retry_after_seconds is None:
            return self.error(403, f"API rate limit exceeded for {request.remote}.")
        answer = self.error(
            403, "You have exceeded a secondary rate limit. Please wait a few minutes"
        )
        answer.headers["Retry-After"] = str(retry_after_seconds)
        return answer

    def limit_headers(self) -> Mapping[str, str]:
        """On every answer."""
        return {
            "X-RateLimit-Limit": str(self.quota_limit),
            "X-RateLimit-Remaining": str(max(0, self.quota)),
            "X-RateLimit-Used": str(self.quota_limit - max(0, self.quota)),
            "X-RateLimit-Reset": str(int(time.time()) + self.reset_in_seconds),
            "X-RateLimit-Resource": "core",
        }

    def _repository(self, request: web.Request, name: str, rest: list[str]) -> web.Response:
        if name in self.renamed:
            return self._moved(name, request)
        repository = self.repository(name)
        if repository is None:
            return self.error(404, "Not Found")
        match rest:
            case []:
                body = {"full_name": name, "default_branch": "main", "private": False}
                return conditional(request, body, name)
            case ["commits", *ref] if ref:
                return self._commit(request, repository, unquote("/".join(ref)))
            case _:
                return self.error(404, "Not Found")

    def _commit(self, request: web.Request, repository: GitRepository, ref: str) -> web.Response:
        if not repository.git("for-each-ref", "--count=1"):
            return self.error(409, "Git Repository is empty.")
        sha = commit_of(repository, ref)
        if sha is None:
            return self.error(422, f"No commit found for SHA: {ref}")
        body = {"sha": sha, "commit": {"message": "…"}, "parents": [], "files": []}
        answer = conditional(request, body, sha)
        if answer.status == 200 and "sha" in request.headers.get("Accept", ""):
            headers = {"ETag": answer.headers["ETag"].removeprefix("W/")}
            kind = "application/vnd.github.sha"
            return web.Response(text=sha, content_type=kind, headers=headers)
        return answer

    def _moved(self, name: str, request: web.Request) -> web.Response:
        new = self.renamed[name]
        base = new if "://" in new else f"{self.api_url}/repos/{new}"
        location = base + request.raw_path.removeprefix(f"{self.api_path}/repos/{name}")
        body = {"message": "Moved Permanently", "url": location, "documentation_url": _DOCS}
        return web.json_response(body, status=301, headers={"Location": location})

    def _gist(self, request: web.Request, gist_id: str) -> web.Response:
        if gist_id not in self.gists:
            return self.error(404, "Not Found")
        owner, is_public = self.gists[gist_id]
        repository = next(self.git.root.glob(f"*/{gist_id}"))
        commits = GitRepository(repository).git("log", "--format=%H").split()
        body = {
            "id": gist_id,
            "public": is_public,
            "owner": {"login": owner, "type": "User"} if owner else None,
            "files": {"a.ipynb": {"filename": "a.ipynb", "truncated": False, "content": "{}"}},
            "history": [
                {"version": commit, "user": None, "committed_at": "2026-01-01T00:00:00Z"}
                for commit in commits
            ],
            "truncated": False,
        }
        return conditional(request, body, f"{gist_id}{is_public}{commits}")
