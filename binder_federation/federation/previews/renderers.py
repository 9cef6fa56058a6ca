"""Renders files in processes of their own: a few at once, each with a deadline.

A file that takes too long, too much memory or breaks the renderer costs its process,
which is replaced with the next file. Whoever finds all of them busy, and others waiting,
gets nothing.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process

import structlog

from binder_federation.federation.previews.worker import ANSWER, REQUEST

log = structlog.get_logger(__name__)

WORKER = "binder_federation.federation.previews.worker"
MOST_ANSWER_BYTES = 16 << 20
_INHERITED = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "SSL_CERT_FILE")


class RenderingFailed(Exception):
    """There is no HTML, for a reason that may pass: too busy, too slow, a broken process."""


class Renderers:
    """`at_once` processes, started when they are first needed."""

    def __init__(
        self, *, at_once: int = 2, most_waiting: int = 8, deadline_seconds: float = 10.0
    ) -> None:
        self._free = [_Worker() for _ in range(at_once)]
        self._workers = tuple(self._free)
        self._places = asyncio.Semaphore(at_once)
        self._most_waiting = most_waiting
        self._waiting = 0
        self._deadline_seconds = deadline_seconds

    async def render(self, path: str, content: bytes) -> bytes | None:
        """The HTML of a file, None for one that cannot be shown. Raises `RenderingFailed`."""
        if self._waiting >= self._most_waiting:
            raise RenderingFailed("too many wait")
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        worker = self._free.pop()
        try:
            async with asyncio.timeout(self._deadline_seconds):
                return await worker.render(path, content)
        except (TimeoutError, OSError, EOFError) as error:
            log.info("preview_failed", reason=type(error).__name__)
            raise RenderingFailed(type(error).__name__) from error
        finally:
            if not worker.is_between_files:
                await worker.aclose()
            self._free.append(worker)
            self._places.release()

    async def aclose(self) -> None:
        """End the processes."""
        for worker in self._workers:
            await worker.aclose()


class _Worker:
    """One process, which is started again when it has ended."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self.is_between_files = True

    async def render(self, path: str, content: bytes) -> bytes | None:
        self.is_between_files = False
        process = self._process
        if process is None or process.returncode is not None:
            process = self._process = await _start()
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018
        name = path.encode("utf-8", errors="replace")
        process.stdin.write(REQUEST.pack(len(name), len(content)) + name + content)
        await process.stdin.drain()
        is_rendered, length = ANSWER.unpack(await process.stdout.readexactly(ANSWER.size))
        if length > MOST_ANSWER_BYTES:
            raise OSError("the answer is too long")
        html = await process.stdout.readexactly(length)
        self.is_between_files = True
        return html if is_rendered else None

    async def aclose(self) -> None:
        """End the process; the next file gets a new one."""
        process, self._process = self._process, None
        self.is_between_files = True
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _start() -> Process:
    """A process that knows nothing of ours: our environment may hold credentials."""
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", WORKER, stdin=PIPE, stdout=PIPE, stderr=None, env=environment
    )
