"""A server that behaves like GitHub: its REST API for commits, and the repositories.

Behind both are real git repositories. Answers, headers and JSON bodies are those of
the real API (version 2022-11-28): https://docs.github.com/en/rest/commits/commits,
rate limits: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

import asyncio
import base64
import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

from aiohttp import web
from pydantic import SecretStr

from binder_federation.config.providers import GitHubSettings
from tests.support.git_repositories import GitRepository
from tests.support.git_server import GitServer, SeenRequest

_DOCS = "https://docs.github.com/rest"


class FakeGitHub:
    """`async with FakeGitHub(folder) as github:`; `github.url` to clone, `github.api_url` to ask.

    `quota` is what is left of this hour's requests; `limit_next` answers with a
    secondary rate limit, `fail_next` with a status.
    """

    def __init__(self, root: Path, *, quota: int = 5000) -> None:
        self.git = GitServer(root)
        self.requests: list[SeenRequest] = []
        self.quota = quota
        self.quota_limit = quota
        self.reset_in_seconds = 1800
        self.token: str | None = None
        """When set, requests that bring another one are refused (401); none at all is fine."""
        self.client: tuple[str, str] | None = None
        self._renamed: dict[str, str] = {}
        self._failures: list[int] = []
        self._secondary_limits: list[int] = []
        self._open = asyncio.Event()
        self._open.set()
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Where repositories are cloned from."""
        return self.git.url

    @property
    def api_url(self) -> str:
        """The base of the REST API."""
        return f"http://127.0.0.1:{self.port}"

    def settings(self, *, token: str | None = None) -> GitHubSettings:
        """Settings of provider `gh` for this server."""
        return GitHubSettings(
            url=self.url, api_url=self.api_url, token=SecretStr(token) if token else None
        )

    def create(
        self,
        name: str,
        files: Mapping[str, str | bytes | None] | None = None,
        *,
        branch: str = "main",
    ) -> GitRepository:
        """A new repository `owner/name`."""
        return self.git.create(name, files, branch=branch)

    def rename(self, old: str, new: str) -> None:
        """Rename `owner/name`: the old name answers 301, for the API and for git."""
        target = self.git.root / new
        target.parent.mkdir(parents=True, exist_ok=True)
        (self.git.root / old).rename(target)
        self._renamed[old] = new
        self.git.redirect(f"/{old}", f"{self.url}/{new}")

    def redirect_api(self, old: str, target: str) -> None:
        """Answer 301 to `target` + the rest for API requests about `owner/name`."""
        self._renamed[old] = target

    def fail_next(self, times: int = 1, *, status: int = 502) -> None:
        """Answer the next API requests with `status`."""
        self._failures += [status] * times

    def limit_next(self, times: int = 1, *, retry_after_seconds: int = 60) -> None:
        """Answer the next API requests with a secondary rate limit."""
        self._secondary_limits += [retry_after_seconds] * times

    def hang(self) -> None:
        """Answer no API request until `go_on`."""
        self._open.clear()

    def go_on(self) -> None:
        """Answer again, also what hangs."""
        self._open.set()

    async def __aenter__(self) -> Self:
        await self.git.__aenter__()
        app = web.Application()
        app.router.add_get("/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.go_on()
        assert self._runner is not None
        await self._runner.cleanup()
        await self.git.__aexit__(kind, error, traceback)

    async def _handle(self, request: web.Request) -> web.Response:
        self.requests.append(SeenRequest(request.method, request.raw_path, dict(request.headers)))
        await self._open.wait()
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        answer = self._answer(request)
        if answer.status != 304:  # an unchanged answer costs nothing
            self.quota -= 1
        answer.headers.update(self._limit_headers())
        return answer

    def _refusal(self, request: web.Request) -> web.Response | None:
        if self._failures:
            # What stands before the API answers a failure, and not in JSON.
            return web.Response(status=self._failures.pop(0), text="<html>Unicorn!</html>")
        if not self._credentials_are_good(request):
            return _error(401, "Bad credentials")
        if self._secondary_limits:
            seconds = self._secondary_limits.pop(0)
            answer = _error(
                403, "You have exceeded a secondary rate limit. Please wait a few minutes"
            )
            answer.headers["Retry-After"] = str(seconds)
            answer.headers.update(self._limit_headers())
            return answer
        if self.quota <= 0:
            answer = _error(403, f"API rate limit exceeded for {request.remote}.")
            answer.headers.update(self._limit_headers())
            return answer
        return None

    def _credentials_are_good(self, request: web.Request) -> bool:
        given = request.headers.get("Authorization")
        good: set[str | None] = {None}
        if self.token is not None:
            good.add(f"Bearer {self.token}")
        if self.client is not None:
            good.add("Basic " + base64.b64encode(":".join(self.client).encode()).decode())
        return given in good

    def _answer(self, request: web.Request) -> web.Response:
        parts = request.raw_path.partition("?")[0].split("/")
        if len(parts) < 4 or parts[1] != "repos":
            return _error(404, "Not Found")
        name = f"{unquote(parts[2])}/{unquote(parts[3])}"
        if name in self._renamed:
            return self._moved(name, request)
        repository = GitRepository(self.git.root / name)
        if not (repository.path / ".git").is_dir():
            return _error(404, "Not Found")
        match parts[4:]:
            case []:
                body = {"full_name": name, "default_branch": "main", "private": False}
                return _conditional(request, body, f"{name}")
            case ["commits", *ref] if ref:
                return _commit_answer(request, repository, unquote("/".join(ref)))
            case _:
                return _error(404, "Not Found")

    def _moved(self, name: str, request: web.Request) -> web.Response:
        new = self._renamed[name]
        base = new if "://" in new else f"{self.api_url}/repos/{new}"
        location = base + request.raw_path.removeprefix(f"/repos/{name}")
        body = {"message": "Moved Permanently", "url": location, "documentation_url": _DOCS}
        return web.json_response(body, status=301, headers={"Location": location})

    def _limit_headers(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.quota_limit),
            "X-RateLimit-Remaining": str(max(0, self.quota)),
            "X-RateLimit-Used": str(self.quota_limit - max(0, self.quota)),
            "X-RateLimit-Reset": str(int(time.time()) + self.reset_in_seconds),
            "X-RateLimit-Resource": "core",
        }


def _commit_answer(request: web.Request, repository: GitRepository, ref: str) -> web.Response:
    if not repository.git("for-each-ref", "--count=1"):
        return _error(409, "Git Repository is empty.")
    try:
        sha = repository.head(ref)
    except AssertionError:
        return _error(422, f"No commit found for SHA: {ref}")
    if "sha" in request.headers.get("Accept", ""):
        return _conditional(request, sha, sha)
    body = {"sha": sha, "commit": {"message": "…"}, "parents": [], "files": []}
    return _conditional(request, body, sha)


def _conditional(request: web.Request, body: Any, version: str) -> web.Response:
    """200 with an ETag, or 304 when the client has that one."""
    etag = f'"{hashlib.sha256(version.encode()).hexdigest()}"'
    if request.headers.get("If-None-Match") in (etag, f"W/{etag}"):
        return web.Response(status=304, headers={"ETag": etag})
    if isinstance(body, str):
        kind = "application/vnd.github.sha"
        return web.Response(text=body, content_type=kind, headers={"ETag": etag})
    return web.json_response(body, headers={"ETag": f"W/{etag}"})


def _error(status: int, message: str) -> web.Response:
    body = {"message": message, "documentation_url": _DOCS, "status": str(status)}
    return web.json_response(body, status=status)
