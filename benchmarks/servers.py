"""Server processes of a benchmark: pinned to a core, waited for, ended by their pid."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

START_SECONDS = 30.0
STOP_SECONDS = 10.0


def find_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def cores() -> tuple[int, int]:
    """The core for what is measured and the one for what measures; the same if there is one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[-1], usable[0]


@contextlib.contextmanager
def pinned_to(core: int) -> Iterator[None]:
    """Keep this process on `core` meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def python_server(arguments: Sequence[str], *, port: int, core: int) -> Iterator[int]:
    """Run `python arguments…` on `core` until it listens at `port`; its pid."""
    process = subprocess.Popen([sys.executable, *arguments])
    try:
        os.sched_setaffinity(process.pid, {core})
        _wait_until_listening(process, port)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def resident_bytes(pid: int) -> int:
    """The memory of a process that is in RAM."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """What a process' main thread, which is where its event loop runs, has used of a core."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9


def _wait_until_listening(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"a server ended with status {process.returncode} at its start")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nobody listens at port {port} after {START_SECONDS:.0f} s")
