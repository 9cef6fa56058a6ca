"""What servers that behave like GitHub, GitLab and Bitbucket have in common.

Behind each are real git repositories, served for git and described by a REST API. A
subclass says which answers, headers and errors the real API gives.
"""

import asyncio
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tests.support.git_repositories import GitRepository
from tests.support.git_server import GitServer, SeenRequest


class FakeForge(ABC):
    """`async with FakeGitHub(folder) as github:`; `github.url` to clone, `github.api_url` to ask.

    `quota` is what is left of this window's requests; `limit_next` answers with a passing
    limit, `fail_next` with a status, `answer_next` with any text.
    """

    api_path = ""
    """Below which path the API is."""

    def __init__(self, root: Path, *, quota: int = 5000) -> None:
        self.git = GitServer(root)
        self.requests: list[SeenRequest] = []
        self.quota = quota
        self.quota_limit = quota
        self.reset_in_seconds = 1800
        self.renamed: dict[str, str] = {}
        self._answers: list[web.Response] = []
        self._limits: list[int] = []
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
        return f"http://127.0.0.1:{self.port}{self.api_path}"

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
        self.renamed[old] = new
        self.git.redirect(f"/{old}", f"{self.url}/{new}")

    def redirect_api(self, old: str, target: str) -> None:
        """Answer 301 to `target` + the rest for API requests about `owner/name`."""
        self.renamed[old] = target

    def fail_next(self, times: int = 1, *, status: int = 502) -> None:
        """Answer the next API requests with `status`."""
        # What stands before the API answers a failure, and not in JSON.
        self._answers += [
            web.Response(status=status, text="<html>Unicorn!</html>") for _ in range(times)
        ]

    def answer_next(self, text: str, *, status: int = 200, kind: str = "application/json") -> None:
        """Answer the next API request with `text`."""
        self._answers.append(web.Response(status=status, text=text, content_type=kind))

    def limit_next(self, times: int = 1, *, retry_after_seconds: int = 60) -> None:
        """Answer the next API requests with a limit that passes."""
        self._limits += [retry_after_seconds] * times

    def hang(self) -> None:
        """Answer no API request until `go_on`."""
        self._open.clear()

    def go_on(self) -> None:
        """Answer again, also what hangs."""
        self._open.set()

    @abstractmethod
    def answer(self, request: web.Request) -> web.Response:
        """The API's answer to a good request."""

    @abstractmethod
    def is_known(self, request: web.Request) -> bool:
        """Whether the request's credentials are good, or there are none."""

    @abstractmethod
    def error(self, status: int, message: str) -> web.Response:
        """An error as the API words it."""

    @abstractmethod
    def limit_headers(self) -> Mapping[str, str]:
        """What every answer tells of the quota."""

    @abstractmethod
    def over_quota(self, request: web.Request, retry_after_seconds: int | None) -> web.Response:
        """The answer when there is no quota; `retry_after_seconds` when a limit is passing."""

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
        if self._answers:
            return self._answers.pop(0)
        answer = self._refusal(request)
        if answer is None:
            answer = self.answer(request)
            if answer.status != 304:  # an unchanged answer costs nothing
                self.quota -= 1
        answer.headers.update(self.limit_headers())
        return answer

    def _refusal(self, request: web.Request) -> web.Response | None:
        if not self.is_known(request):
            return self.error(401, "Bad credentials")
        if self._limits:
            return self.over_quota(request, self._limits.pop(0))
        if self.quota <= 0:
            return self.over_quota(request, None)
        return None

    def repository(self, name: str) -> GitRepository | None:
        """The repository `owner/name`, if there is one."""
        found = GitRepository(self.git.root / name)
        return found if (found.path / ".git").is_dir() else None


def conditional(request: web.Request, body: Any, version: str) -> web.Response:
    """200 with an ETag, or 304 when the client has that one."""
    etag = f'"{hashlib.sha256(version.encode()).hexdigest()}"'
    if request.headers.get("If-None-Match") in (etag, f"W/{etag}"):
        return web.Response(status=304, headers={"ETag": etag})
    return web.json_response(body, headers={"ETag": f"W/{etag}"})


def commit_of(repository: GitRepository, ref: str) -> str | None:
    """The commit that `ref` stands for."""
    try:
        return repository.head(ref)
    except AssertionError:
        return None
