"""Runs the parts of `binderfed up` as processes and ends every one of them.

Children get a session of their own, so that Ctrl-C reaches this process alone and
the parts are stopped in order. Once everything has started, a part that dies is
started again after its pause, and the others go on meanwhile. At the end whatever
still carries a part's mark is ended.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from binder_federation.runtime.processes import end_marked_processes
from binder_federation.runtime.tasks import BackgroundTasks

STOP_SECONDS = 15.0
SWEEP_SECONDS = 3.0
LONGEST_PAUSE_SECONDS = 60.0
CRASH_LOOP_SECONDS = 30.0
"""A part that ran for less before it died waits longer each time."""


@dataclass(frozen=True, slots=True)
class Part:
    """One process to run: `python -m module arguments`."""

    name: str
    module: str
    arguments: tuple[str, ...]
    restart_seconds: float
    mark: tuple[str, str] | None = None
    """An environment variable that everything below this part carries."""


class Supervisor:
    """Starts, watches, restarts and ends parts."""

    def __init__(self, parts: Sequence[Part], *, log_dir: Path) -> None:
        self._parts = parts
        self._log_dir = log_dir
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._tasks = BackgroundTasks()
        self.stop_requested = asyncio.Event()
        self.was_stopped = False
        self.restarts_parts = False
        """Set it once everything runs: a part that dies before does not start at all."""
        self.failed: str | None = None
        """The part that did not start."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything runs within; on the way out everything is ended."""
        self._log_dir.mkdir(parents=True, exist_ok=True)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._request_stop)
        try:
            for part in self._parts:
                self._tasks.start(self._keep_running(part), name=f"part:{part.name}")
            yield
        finally:
            await self._stop()

    def log_tail(self, name: str, *, lines: int = 15) -> str:
        """The last lines of a part's log."""
        try:
            text = self._log_file(name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def _request_stop(self) -> None:
        if self.stop_requested.is_set():  # asked twice: no more patience
            for process in self._running.values():
                _signal(process, signal.SIGKILL)
            return
        self.was_stopped = True
        self.stop_requested.set()
        print("\nStopping ... (Ctrl-C again to stop at once)", flush=True)

    async def _keep_running(self, part: Part) -> None:
        quick_deaths = 0
        while not self.stop_requested.is_set():
            began_at = time.monotonic()
            status = await self._run_once(part)
            if self.stop_requested.is_set():
                return
            if not self.restarts_parts:
                self.failed = part.name
                return
            ran_long = time.monotonic() - began_at > CRASH_LOOP_SECONDS
            quick_deaths = 0 if ran_long else quick_deaths + 1
            pause = _pause_seconds(part, quick_deaths)
            print(
                f"{part.name} ended ({_describe(status)}); it is started again in {pause:.0f} s."
                f" Its log: {self._log_file(part.name)}",
                file=sys.stderr,
                flush=True,
            )
            await asyncio.sleep(pause)

    async def _run_once(self, part: Part) -> int:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        if part.mark:
            environment[part.mark[0]] = part.mark[1]
        with self._log_file(part.name).open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                part.module,
                *part.arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        self._running[part.name] = process
        try:
            return await process.wait()
        finally:
            self._running.pop(part.name, None)

    async def _stop(self) -> None:
        self.stop_requested.set()
        processes = list(self._running.values())
        for process in processes:
            _signal(process, signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await asyncio.gather(*(process.wait() for process in processes))
        except TimeoutError:
            print("Not everything stopped in time; ending it.", file=sys.stderr, flush=True)
            for process in processes:
                _signal(process, signal.SIGKILL)
        for part in self._parts:
            if part.mark:
                await end_marked_processes(*part.mark, grace_seconds=SWEEP_SECONDS)
        await self._tasks.aclose()

    def _log_file(self, name: str) -> Path:
        return self._log_dir / f"{name}.log"


def _pause_seconds(part: Part, quick_deaths: int) -> float:
    """The part's own pause, doubled with each death that came soon after a start."""
    longest = max(part.restart_seconds, LONGEST_PAUSE_SECONDS)
    return min(part.restart_seconds * 2.0 ** max(0, quick_deaths - 1), longest)


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if process.returncode is None:
        process.send_signal(number)


def _describe(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
