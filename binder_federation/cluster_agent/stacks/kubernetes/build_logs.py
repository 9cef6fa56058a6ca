"""Follows the log of a build's pod, through lost connections, for as long as it is written.

Each line comes with its time, so that one can go on where the last connection broke off:
the API gives the log from a second on, and what of that second was seen already is left
out. A log that cannot be read ends nothing: the build goes on, and what came of it is told
by the pod and the registry (an incident of 2019-02-20: the endpoint of logs was down, and
so was every build).
"""

import asyncio
import contextlib
from dataclasses import dataclass, field

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_result

from binder_federation.cluster_agent.stacks.base import BuildProgress
from binder_federation.cluster_agent.stacks.kubernetes.build_pod import CONTAINER
from binder_federation.cluster_agent.stacks.kubernetes.client import KubernetesApi
from binder_federation.cluster_agent.stacks.kubernetes.errors import ClusterError
from binder_federation.cluster_agent.stacks.repo2docker.output import Line, read_line
from binder_federation.cluster_agent.stacks.repo2docker.relay import relay

log = structlog.get_logger(__name__)

_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 2.0
_TOLD_AFTER = 2


@dataclass(slots=True)
class LogPosition:
    """How far a log was read. Pure."""

    _time: str = field(default="", init=False)
    _lines_then: int = field(default=0, init=False)
    """How many lines of that very time were seen; the next connection brings them again."""
    _to_skip: int = field(default=0, init=False)

    @property
    def since(self) -> str:
        """The time to go on from; empty at the beginning."""
        return self._time

    def reconnect(self) -> None:
        """What comes next begins at `since` again."""
        self._to_skip = self._lines_then

    def take(self, stamped: str) -> str | None:
        """The line's text; None when it was seen before."""
        time, _, text = stamped.partition(" ")
        order = _sortable(time)
        if not order:  # a line without a time, such as a proxy's own words
            return stamped
        if order < _sortable(self._time):
            return None
        if time != self._time:
            self._time, self._lines_then, self._to_skip = time, 0, 0
        elif self._to_skip > 0:
            self._to_skip -= 1
            return None
        self._lines_then += 1
        return text


class BuildLog:
    """One build's log. `last` is the process's last line, once it was read."""

    def __init__(self, *, api: KubernetesApi, pod: str, progress: BuildProgress) -> None:
        self._api = api
        self._pod = pod
        self._progress = progress
        self._position = LogPosition()
        self._ended = asyncio.Event()
        self._failures = 0
        self.last: Line | None = None

    def note_end(self) -> None:
        """The container ended: what can be read from now on is all there will be."""
        self._ended.set()

    async def follow(self) -> None:
        """Read on until the last line, or the end; until then it is asked for again and again."""
        retrying = AsyncRetrying(
            retry=retry_if_result(lambda is_over: not is_over),
            wait=self._pause,
            sleep=self._sleep,
        )
        await retrying(self._read)

    async def _read(self) -> bool:
        """One connection; whether the log was read to its end."""
        had_ended = self._ended.is_set()
        self._position.reconnect()
        lines = self._api.pod_log(self._pod, container=CONTAINER, since=self._position.since)
        try:
            async for stamped in lines:
                self._failures = 0
                text = self._position.take(stamped)
                if text is not None and self._take(read_line(text)):
                    return True
        except ClusterError as error:
            self._note_loss(error)
        finally:
            await lines.aclose()
        return had_ended

    def _take(self, line: Line) -> bool:
        if line.is_last:
            self.last = line
            return True
        relay(line, self._progress)
        return False

    def _note_loss(self, error: ClusterError) -> None:
        """Tell it, once until the log can be read again. A single failure is no loss."""
        self._failures += 1
        if self._failures == _TOLD_AFTER:
            log.warning("build_log_lost", pod=self._pod, error=error.code)
            self._progress.log("The build's log cannot be read just now; the build goes on.")

    async def _sleep(self, seconds: float) -> None:
        """A pause, cut short by the end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()

    def _pause(self, _state: RetryCallState) -> float:
        pause: float = _FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures, 10)
        return min(pause, _LONGEST_PAUSE_SECONDS)


def _sortable(time: str) -> str:
    """The time so that text sorts as times do: the cluster leaves zeros at its end out."""
    head, _, fraction = time.removesuffix("Z").partition(".")
    if len(head) != len("2026-01-01T00:00:00") or head[10:11] != "T":
        return ""
    return f"{head}.{fraction:0<9}"
