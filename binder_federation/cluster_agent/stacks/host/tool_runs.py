"""Runs a tool or a repository's script: its output line by line, its time and memory bounded.

A run's processes carry the build's mark, so that what a script left running is found
and ended; they end with the agent.
"""

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from binder_federation.runtime.processes import die_with_parent

OnLine = Callable[[str], None]

_CHUNK_BYTES = 65536
_MOST_LINE_BYTES = 4096
_MOST_LINES = 20_000
_TAIL_LINES = 400
_SHOWN_TAIL_LINES = 100
"""Of an output that was cut: its end is where it says what went wrong."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """How a run ended: its exit status (negative for a signal), the end of its output."""

    status: int
    tail: str

    @property
    def is_ok(self) -> bool:
        """It did what it was told."""
        return self.status == 0

    @property
    def was_killed(self) -> bool:
        """Somebody else ended it: the machine ran out of memory, mostly."""
        return self.status in (-signal.SIGKILL, 128 + signal.SIGKILL, -signal.SIGTERM)


async def run_tool(
    command: Sequence[str], *, cwd: Path, variables: Mapping[str, str], on_line: OnLine
) -> ToolResult:
    """Run `command` with exactly `variables`; `on_line` gets each line of what it prints.

    Takes as long as it takes: the deadline is the caller's, and cancelling kills the
    process group. Raises `OSError` when it cannot be started.
    """
    lines = _Lines(on_line)
    async with _pipe() as (output, write_end):
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=cwd,
            env=dict(variables),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=write_end,
            stderr=write_end,
            start_new_session=True,
            preexec_fn=partial(die_with_parent, os.getpid()),
        )
        write_end.close()
        try:
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(lines.read(output))
                status = await process.wait()
                # A process that it left behind may hold the output open for ever.
                await asyncio.wait([reading], timeout=1.0)
                reading.cancel()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    lines.finish()
    return ToolResult(status, "\n".join(lines.tail))


@asynccontextmanager
async def _pipe() -> AsyncIterator[tuple[asyncio.StreamReader, IO[bytes]]]:
    """A pipe of our own: asyncio's `wait` on a process waits for the end of its pipes too, which
    somebody else may hold."""
    read_fd, write_fd = os.pipe()
    reader = asyncio.StreamReader()
    with os.fdopen(read_fd, "rb", 0) as read_end, os.fdopen(write_fd, "wb", 0) as write_end:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), read_end
        )
        try:
            yield reader, write_end
        finally:
            transport.close()


class _Lines:
    """Splits a stream into lines of bounded length. From some point on only the end is handed
    out."""

    def __init__(self, on_line: OnLine) -> None:
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._on_line = on_line
        self._rest = b""
        self._count = 0

    async def read(self, stream: asyncio.StreamReader) -> None:
        """Read to the end."""
        while chunk := await stream.read(_CHUNK_BYTES):
            *whole, rest = (self._rest + chunk).replace(b"\r\n", b"\n").split(b"\n")
            for line in whole:
                self._take(line)
            self._rest = rest[-_MOST_LINE_BYTES:]

    def finish(self) -> None:
        """Take what has no newline after it."""
        if self._rest:
            self._take(self._rest)
            self._rest = b""
        left_out = self._count - _MOST_LINES
        if left_out > 0:
            shown = min(left_out, _SHOWN_TAIL_LINES)
            if left_out > shown:
                self._on_line(f"[{left_out - shown:,} lines are not shown. The end:]")
            for line in list(self.tail)[-shown:]:
                self._on_line(line)

    def _take(self, raw: bytes) -> None:
        # What a progress bar drew over with a carriage return is not shown.
        line = raw.rpartition(b"\r")[2][:_MOST_LINE_BYTES].decode("utf-8", "replace")
        self.tail.append(line)
        self._count += 1
        if self._count <= _MOST_LINES:
            self._on_line(line)
        elif self._count == _MOST_LINES + 1:
            self._on_line(f"[After {_MOST_LINES:,} lines only the end of the output is shown.]")
