"""The launches that are under way here, and those that ended a while ago.

A launch is a task of its own, not of the connection that asked for it: the
connection may be cut and resumed (`Last-Event-ID`), and the launch goes on. One
that nobody has watched for a while is given up; the build that it caused at a
member goes on there.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import structlog

from binder_federation.binder.events import failed_event
from binder_federation.config.federation import LaunchSettings
from binder_federation.federation.event_log import EventLog
from binder_federation.federation.launch_request import LaunchRequest
from binder_federation.runtime.errors import ServiceError
from binder_federation.runtime.tasks import BackgroundTasks

log = structlog.get_logger(__name__)


class Busy(ServiceError):
    """This replica carries as many launches as it may."""

    code = "federation_busy"
    status = 503
    retryable = True


class Launch:
    """One launch: its id, what was asked, what happened."""

    def __init__(self, request: LaunchRequest, *, kept_events: int, now: float) -> None:
        self.id = secrets.token_urlsafe(12)
        self.request = request
        self.log = EventLog(kept=kept_events)
        self.watchers = 0
        self.unwatched_since = now
        self.ended_at: float | None = None
        self.task: asyncio.Task[None] | None = None

    def event_id(self, number: int) -> str:
        """The id of the launch's event `number`."""
        return f"{self.id}:{number}"


def parse_event_id(event_id: str) -> tuple[str, int] | None:
    """Launch id and event number in a `Last-Event-ID`; None when it is none of ours."""
    launch_id, _, number = event_id.rpartition(":")
    if not launch_id or not number.isascii() or not number.isdigit() or len(number) > 12:
        return None
    return launch_id, int(number)


class LaunchRunner(Protocol):
    """Takes a launch from its first event to its last."""

    async def run(self, launch: Launch) -> None:
        """Append the launch's events to its log."""


class Launches:
    """All launches of this replica by id."""

    def __init__(
        self,
        *,
        runner: LaunchRunner,
        settings: LaunchSettings,
        tasks: BackgroundTasks,
        clock: Callable[[], float],
    ) -> None:
        self._runner = runner
        self._settings = settings
        self._tasks = tasks
        self._clock = clock
        self._launches: dict[str, Launch] = {}
        self._under_way = 0

    @property
    def under_way(self) -> int:
        """Launches that have not ended."""
        return self._under_way

    def find(self, launch_id: str) -> Launch | None:
        """The launch of that id, if it is still known."""
        return self._launches.get(launch_id)

    def begin(self, request: LaunchRequest) -> Launch:
        """Start a launch. Raises `Busy` when there are too many."""
        if self.under_way >= self._settings.most_at_once:
            raise Busy("Very many launches are under way.", retry_after_seconds=10)
        launch = Launch(request, kept_events=self._settings.kept_events, now=self._clock())
        self._launches[launch.id] = launch
        self._under_way += 1
        launch.task = self._tasks.start(self._run(launch), name=f"launch:{launch.id}")
        return launch

    @contextmanager
    def watching(self, launch: Launch) -> Iterator[None]:
        """Count somebody who watches `launch`, so that it is not given up."""
        launch.watchers += 1
        try:
            yield
        finally:
            launch.watchers -= 1
            launch.unwatched_since = self._clock()

    async def tidy(self) -> None:
        """Give up launches that nobody watches; forget those that ended long ago."""
        now = self._clock()
        for launch in list(self._launches.values()):
            if launch.ended_at is not None:
                if now - launch.ended_at > self._settings.kept_seconds:
                    del self._launches[launch.id]
            elif self._is_abandoned(launch, now) and launch.task is not None:
                log.info("launch_abandoned", launch=launch.id)
                launch.task.cancel()

    def _is_abandoned(self, launch: Launch, now: float) -> bool:
        return not launch.watchers and now - launch.unwatched_since > self._settings.resume_seconds

    async def _run(self, launch: Launch) -> None:
        try:
            await self._runner.run(launch)
        except Exception:  # a launch that trips over a bug of ours ends alone, and is told
            log.exception("launch_crashed", launch=launch.id)
            launch.log.append(failed_event(ServiceError("Something went wrong on our side.")))
        finally:
            launch.ended_at = self._clock()
            self._under_way -= 1
