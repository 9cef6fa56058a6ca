"""Processes that cannot be lost: they end with their parent, or are found by a mark.

Linux keeps a process's first environment readable in `/proc/<pid>/environ`, and
children inherit it. So a variable of ours (`BINDERFED_OWNER=…`) marks everything
that was ever started below us, also a daemon that left its process group. Each
process is held by a pidfd, which never comes to mean another process.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

OWNER_MARK = "BINDERFED_OWNER"
"""Everything that an agent started carries its state folder in this variable."""

_UNCLEAR_SECONDS = 0.25
"""How long a process is watched that may be about to exec (it may be kept from running)."""
_LOOK_EVERY_SECONDS = 0.003
_PF_KTHREAD = 0x00200000
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)  # loaded before any fork


def die_with_parent(parent_pid: int | None = None) -> None:
    """Have the kernel send this process SIGTERM when the thread that started it ends.

    Also fit for `preexec_fn`. With `parent_pid`, a parent that is gone already is
    noticed too. The setting outlives `exec`, but not a change of user.
    """
    if _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) was refused")
    if parent_pid is not None and os.getppid() != parent_pid:
        os.kill(os.getpid(), signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class HeldProcess:
    """A process that can be signalled and awaited, whatever its pid is used for later."""

    pid: int
    pidfd: int

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; a process that is gone is no error."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def release(self) -> None:
        """Let go of the process (it lives on if it does)."""
        os.close(self.pidfd)


def hold_marked_processes(marker: str, value: str) -> list[HeldProcess]:
    """Every process of ours, but this one, that was started with `marker=value`.

    The caller releases each. One that execs at this moment may be missed.
    """
    return _look(marker, value)[0]


def _look(marker: str, value: str) -> tuple[list[HeldProcess], bool]:
    """The marked processes, and whether there are some of which it cannot be told now: while
    a process execs, its environment reads as empty."""
    wanted = f"{marker}={value}".encode()
    pids = [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()]
    pids.remove(os.getpid())
    held: list[HeldProcess] = []
    is_clear = [_hold_if_marked(pid, wanted, held) for pid in pids]
    return held, not all(is_clear)


def _hold_if_marked(pid: int, wanted: bytes, held: list[HeldProcess]) -> bool:
    """Add the process to `held` if it carries the mark; whether that could be told."""
    started = _start_time(pid)
    environment = _environment(pid)
    if environment == b"" and started is not None:
        return False
    if wanted not in environment.split(b"\0"):
        return True
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return True  # it has ended
    if _start_time(pid) == started:
        held.append(HeldProcess(pid, pidfd))
    else:  # the pid came to mean another process before the pidfd held it
        os.close(pidfd)
    return True


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # gone, or somebody else's
        return b"?"


def _start_time(pid: int) -> bytes | None:
    """When the process started, in clock ticks; None for one that has ended, and for the
    kernel's own. Fields: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html"""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    is_zombie, is_kernels = fields[0] == b"Z", int(fields[6]) & _PF_KTHREAD
    return None if is_zombie or is_kernels else fields[19]


async def end_marked_processes(marker: str, value: str, grace_seconds: float) -> int:
    """End every process that was started with `marker=value`: TERM, then KILL after the grace.

    Looks again until there is none, because a process may start another one
    meanwhile. Returns how many were ended; raises `TimeoutError` when one cannot be
    ended (it hangs in the kernel).
    """
    ended: set[int] = set()
    now = time.monotonic()
    kill_at, give_up_at = now + grace_seconds, now + grace_seconds + 10.0
    look_until = now + _UNCLEAR_SECONDS
    while True:
        processes, is_unclear = _look(marker, value)
        if not processes:
            if not is_unclear or time.monotonic() > look_until:
                return len(ended)
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            continue
        try:
            ended.update(process.pid for process in processes)
            await _end(processes, grace_seconds=max(0.0, kill_at - time.monotonic()))
        finally:
            for process in processes:
                process.release()
        look_until = time.monotonic() + _UNCLEAR_SECONDS
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"{len(processes)} processes with {marker}={value} do not end")


async def _end(processes: Sequence[HeldProcess], *, grace_seconds: float) -> None:
    if grace_seconds > 0:
        for process in processes:
            process.signal(signal.SIGTERM)
        processes = await _still_there(processes, timeout_seconds=grace_seconds)
    for process in processes:
        process.signal(signal.SIGKILL)
    await _still_there(processes, timeout_seconds=2.0)


async def _still_there(
    processes: Sequence[HeldProcess], *, timeout_seconds: float
) -> Sequence[HeldProcess]:
    """Wait until all have ended; returns those that have not in time."""
    loop = asyncio.get_running_loop()
    left = {process.pidfd: process for process in processes}
    all_gone = asyncio.Event()

    def ended(pidfd: int) -> None:  # a pidfd is readable once its process has ended
        loop.remove_reader(pidfd)
        del left[pidfd]
        if not left:
            all_gone.set()

    for pidfd in tuple(left):
        loop.add_reader(pidfd, ended, pidfd)
    try:
        if left:
            async with asyncio.timeout(timeout_seconds):
                await all_gone.wait()
    except TimeoutError:
        pass
    finally:
        for pidfd in left:
            loop.remove_reader(pidfd)
    return list(left.values())


def _exec_with_parent() -> None:
    """`python -m …processes <command>`: run a command that ends with whoever started this."""
    die_with_parent()
    # A shell's background job ignores interrupts, and so would all its descendants.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - a list of arguments, no shell


if __name__ == "__main__":
    _exec_with_parent()
