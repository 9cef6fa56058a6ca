"""Runs git: isolated from the machine's configuration, bounded in time and output.

git starts helpers (git-remote-https, ssh), so each run gets a process group of its
own, and the whole group is killed when the time is over, when the caller goes away,
and when git ended but left a helper behind.
"""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from binder_federation.binder.providers.base import GitSource
from binder_federation.binder.providers.git_environment import make_environment

MOST_OUTPUT_BYTES = 4 << 20
_MOST_LINE_BYTES = 8192
_CHUNK_BYTES = 65536
_REAP_SECONDS = 10.0

# Settings that hold for every run: no hooks and no helpers of whoever owns a repository.
_ALWAYS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "credential.helper": "",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "advice.detachedHead": "false",
    "init.defaultBranch": "main",
}

OnLine = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class GitResult:
    """How a git process ended. `errors` is for our eyes: nobody is shown git's own words."""

    returncode: int
    output: str
    errors: str
    is_timed_out: bool = False
    is_truncated: bool = False
    """There was more output than is kept."""

    @property
    def is_ok(self) -> bool:
        """git did what it was told."""
        return self.returncode == 0 and not self.is_timed_out


async def run_git(
    args: Sequence[str],
    *,
    source: GitSource | None = None,
    cwd: Path | None = None,
    deadline_seconds: float,
    on_line: OnLine | None = None,
) -> GitResult:
    """Run `git <args>` with the settings of `source`, in `cwd` (by default in `/`, outside
    every repository), for at most `deadline_seconds`.

    `on_line` gets each line of its output and errors as it comes. Without a source, git
    reaches nothing outside. Cancelling ends git too.
    """
    config = {**_ALWAYS, **(source.config if source else {})}
    options = [part for name, value in config.items() for part in ("-c", f"{name}={value}")]
    process = await asyncio.create_subprocess_exec(
        "git",
        *options,
        *args,
        cwd=cwd or "/",
        env=make_environment(source.environment if source else {}),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    output, errors = _Collector(on_line), _Collector(on_line)
    is_timed_out = False
    try:
        async with asyncio.timeout(deadline_seconds):
            await _drain(process, output, errors)
    except TimeoutError:
        is_timed_out = True
    finally:
        await _end(process)
    return GitResult(
        returncode=process.returncode if process.returncode is not None else -signal.SIGKILL,
        output=output.text(),
        errors=errors.text(),
        is_timed_out=is_timed_out,
        is_truncated=output.is_truncated,
    )


async def fetch_git_version() -> tuple[int, ...]:
    """The installed git's version, as in `(2, 39, 5)`; empty when it cannot be told."""
    result = await run_git(["version"], deadline_seconds=10)
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", result.output)
    return tuple(int(part) for part in match.groups(default="0")) if match else ()


async def _drain(
    process: asyncio.subprocess.Process, output: "_Collector", errors: "_Collector"
) -> None:
    assert process.stdout is not None and process.stderr is not None  # noqa: S101, PT018
    async with asyncio.TaskGroup() as readers:
        readers.create_task(output.read(process.stdout))
        readers.create_task(errors.read(process.stderr))
    await process.wait()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill the process group and reap its leader; nothing happens when all have ended."""
    with contextlib.suppress(ProcessLookupError):  # the usual case: nobody is left
        # The leader's id stays that of the group while a member is alive.
        os.killpg(process.pid, signal.SIGKILL)
    if process.returncode is None:
        async with asyncio.timeout(_REAP_SECONDS):
            await process.wait()


class _Collector:
    """Keeps the beginning of a stream, hands out its lines, and reads on to its end."""

    def __init__(self, on_line: OnLine | None) -> None:
        self._kept = bytearray()
        self._line = bytearray()
        self._on_line = on_line
        self.is_truncated = False

    async def read(self, stream: asyncio.StreamReader) -> None:
        while chunk := await stream.read(_CHUNK_BYTES):
            room = MOST_OUTPUT_BYTES - len(self._kept)
            self._kept += chunk[:room]
            self.is_truncated = self.is_truncated or len(chunk) > room
            if self._on_line is not None:
                self._split(chunk, self._on_line)
        if self._line and self._on_line is not None:
            self._on_line(_decoded(self._line))

    def text(self) -> str:
        return self._kept.decode("utf-8", "replace")

    def _split(self, chunk: bytes, on_line: OnLine) -> None:
        # Progress ends its lines with a carriage return.
        *whole, rest = chunk.replace(b"\r", b"\n").split(b"\n")
        for part in whole:
            self._line += part[:_MOST_LINE_BYTES]
            if self._line:
                on_line(_decoded(self._line))
            self._line.clear()
        self._line += rest[: max(0, _MOST_LINE_BYTES - len(self._line))]


def _decoded(line: bytes | bytearray) -> str:
    return line.decode("utf-8", "replace")
