"""A git server on loopback: smart HTTP through `git http-backend`, as real hosts run it.

It serves every repository below a folder at `<url>/<path>` (with or without `.git`),
counts requests, and can be told to ask for credentials, redirect, fail or hang.
"""

import asyncio
import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from tests.support.git_repositories import GitRepository, make_repository


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """One request that reached the server."""

    method: str
    path: str
    """With its query, as it came."""
    headers: Mapping[str, str]


class GitServer:
    """`async with GitServer(folder) as server:` serves `folder` at `server.url`."""

    def __init__(self, root: Path, *, host: str = "127.0.0.1") -> None:
        self.root = root
        self.requests: list[SeenRequest] = []
        self.credentials: tuple[str, str] | None = None
        """User and password (basic) or ("", token) that every request must bring."""
        self._host = host
        self._redirects: dict[str, str] = {}
        self._failures: list[int] = []
        self._open = asyncio.Event()
        self._open.set()
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """`http://127.0.0.1:<port>`."""
        return f"http://{self._host}:{self.port}"

    def create(
        self,
        name: str,
        files: Mapping[str, str | bytes | None] | None = None,
        *,
        branch: str = "main",
    ) -> GitRepository:
        """A new repository that is served at `<url>/<name>`."""
        return make_repository(self.root / name, files, branch=branch)

    def redirect(self, path_prefix: str, target: str) -> None:
        """Answer 301 below `path_prefix` (`/owner/old`): to `target` + what follows it."""
        self._redirects[path_prefix] = target

    def fail_next(self, times: int = 1, *, status: int = 503) -> None:
        """Answer the next requests with `status`."""
        self._failures += [status] * times

    def hang(self) -> None:
        """Answer nothing until `go_on`."""
        self._open.clear()

    def go_on(self) -> None:
        """Answer again, also what hangs."""
        self._open.set()

    async def __aenter__(self) -> Self:
        self.root.mkdir(parents=True, exist_ok=True)
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, 0)
        await site.start()
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

    async def _handle(self, request: web.Request) -> web.Response:
        self.requests.append(SeenRequest(request.method, request.raw_path, dict(request.headers)))
        await self._open.wait()
        if self._failures:
            return web.Response(status=self._failures.pop(0), text="told to fail\n")
        for prefix, target in self._redirects.items():
            if request.path.startswith(prefix):
                raise web.HTTPMovedPermanently(target + request.raw_path.removeprefix(prefix))
        if self.credentials is not None and not self._knows(request):
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="git"'})
        return await self._run_backend(request)

    def _knows(self, request: web.Request) -> bool:
        assert self.credentials is not None
        wanted = base64.b64encode(":".join(self.credentials).encode()).decode()
        return request.headers.get("Authorization", "") == f"Basic {wanted}"

    async def _run_backend(self, request: web.Request) -> web.Response:
        """One CGI request (RFC 3875): environment and body in, headers and body out."""
        process = await asyncio.create_subprocess_exec(
            "git",
            "http-backend",
            env=self._cgi_environment(request),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            output, _ = await process.communicate(await request.read())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        head, _, body = output.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if line)
        status = int(headers.pop("Status", "200").split()[0])
        return web.Response(status=status, headers=headers, body=body)

    def _cgi_environment(self, request: web.Request) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROJECT_ROOT": str(self.root),
            "PATH_INFO": self._path_info(request.path),
            "QUERY_STRING": request.query_string,
            "REQUEST_METHOD": request.method,
            "REMOTE_ADDR": request.remote or "",
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        }

    def _path_info(self, path: str) -> str:
        """`/owner/name.git/…` serves the folder `owner/name`."""
        head, dot_git, rest = path.partition(".git/")
        if dot_git and (self.root / head.lstrip("/")).is_dir():
            return f"{head}/{rest}"
        return path
