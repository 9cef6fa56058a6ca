"""What this machine has: memory for sessions, and a state folder for one agent alone."""

import fcntl
import os
from pathlib import Path
from typing import IO

from binder_federation.cluster_agent.stacks.base import StackNotReady

_SESSION_BYTES = 256 << 20
_MOST_SESSIONS = 64
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def sessions_that_fit() -> int:
    """Sessions that the memory carries, at a quarter of a gibibyte each."""
    return max(1, min(_MOST_SESSIONS, _memory_bytes() // _SESSION_BYTES))


def _memory_bytes() -> int:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = _CGROUP_LIMIT.read_text(encoding="ascii").strip()
    except OSError:
        return total
    return min(total, int(limit)) if limit.isdigit() else total


def lock_folder(root: Path) -> IO[bytes]:
    """Take the state folder for this process; closing the file gives it back.

    Raises `StackNotReady` when another agent has it: two of them would end each other's
    sessions.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        file = (root / "lock").open("ab")
    except OSError as error:
        raise StackNotReady(f"The state folder {root} cannot be written.") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise StackNotReady(
            f"Another agent uses the state folder {root}.",
            advice="Stop it, or give this one a state_dir of its own.",
        ) from error
    return file
