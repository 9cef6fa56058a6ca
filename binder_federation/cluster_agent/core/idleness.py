"""When a server was last used, and whether its time is over.

Requests alone say little: an open JupyterLab asks its server for kernels and files every few
seconds, whether anybody sits before it or not. What people do shows in kernels and terminals.

- A kernel was used when it last said something. One that computes in silence is in use while a
  browser is connected to it; with nobody connected it is a computation that nobody waits for.
- A terminal was used when something was last typed or printed.
- With neither there may still be somebody: RStudio, an editor, an application behind the
  server's own proxy. There requests count, for `without_kernels_seconds` at most where the
  server has no such applications.

All times are seconds since 1970.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class KernelUse:
    """One kernel."""

    last_activity: float
    is_busy: bool
    connections: int


@dataclass(frozen=True, slots=True)
class ServerUse:
    """What a server tells of itself. It runs a stranger's code, so nothing of it is certain."""

    requests: float
    """The latest request that counts as activity to the server."""
    kernels: Sequence[KernelUse] = ()
    terminals: Sequence[float] = ()
    """When each terminal was last used."""
    has_applications: bool = False
    """Whether it passes requests on to other programs, such as RStudio."""


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How long a session may be idle, and how long it may last at all."""

    idle_seconds: float
    max_age_seconds: float
    without_kernels_seconds: float


class Ending(StrEnum):
    """Why a server is ended."""

    IDLE = "idle"
    TOO_OLD = "too_old"


def last_work(use: ServerUse, *, now: float) -> float | None:
    """When a kernel or terminal was last used, never later than `now`; None without any."""
    seen = list(use.terminals)
    for kernel in use.kernels:
        is_awaited = kernel.is_busy and kernel.connections > 0
        seen.append(now if is_awaited else kernel.last_activity)
    return min(max(seen), now) if seen else None


def last_use(use: ServerUse, *, since: float, limits: SessionLimits, now: float) -> float:
    """When somebody last used the server, never later than `now`.

    `since`: when its visitor came, or a kernel or terminal was last seen in use.
    """
    worked = last_work(use, now=now)
    if worked is not None:
        return max(worked, since)
    counts_until = now if use.has_applications else since + limits.without_kernels_seconds
    return min(max(since, min(use.requests, counts_until)), now)


def find_ending(
    *, started: float, last_used: float, limits: SessionLimits, now: float
) -> Ending | None:
    """Why the server's time is over; None while it is not."""
    if now - started >= limits.max_age_seconds:
        return Ending.TOO_OLD
    if now - last_used >= limits.idle_seconds:
        return Ending.IDLE
    return None
