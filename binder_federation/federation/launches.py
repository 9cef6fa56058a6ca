"""The launches that this replica runs or follows, and those that ended a while ago.

A launch is a task of its own, not of the connection that asked for it: the
connection may be cut and resumed (`Last-Event-ID`), here or at another replica, and the
launch goes on. One that nobody has watched for a while is given up; the build that it
caused at a member goes on there. A replica that stops leaves its launches to the others.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import structlog

from binder_federation.binder.events import failed_event
from binder_federation.config.federation import LaunchSettings
from binder_federation.federation.event_log import EventLog
from binder_federation.federation.following import Following
from binder_federation.federation.launch import Launch
from binder_federation.federation.launch_ids import EventId, new_launch_id
from binder_federation.federation.launch_records.contract import (
    KeptLaunch,
    LaunchRecords,
    RecordsUnavailable,
)
from binder_federation.federation.launch_records.memory import MemoryLaunchRecords
from binder_federation.federation.launch_request import LaunchRequest
from binder_federation.runtime.errors import ServiceError
from binder_federation.runtime.log_context import LAUNCH_ID
from binder_federation.runtime.tasks import BackgroundTasks

log = structlog.get_logger(__name__)


class Busy(ServiceError):
    """This replica carries as many launches as it may."""

    code = "federation_busy"
    status = 503
    retryable = True


class LaunchRunner(Protocol):
    """Takes a launch from where it is to its last event."""

    async def run(self, launch: Launch) -> None:
        """Tell the launch what happens."""


class Launches:
    """All launches of this replica by id."""

    def __init__(
        self,
        *,
        runner: LaunchRunner,
        settings: LaunchSettings,
        tasks: BackgroundTasks,
        clock: Callable[[], float],
        records: LaunchRecords | None = None,
        on_end: Callable[[Launch], None] = lambda _launch: None,
    ) -> None:
        self._runner = runner
        self._settings = settings
        self._tasks = tasks
        self._clock = clock
        self._on_end = on_end
        self.records = records or MemoryLaunchRecords()
        """What the replicas know of each other's launches."""
        self.records.on_lost(self._lost)
        self._following = Following(records=self.records)
        self._launches: dict[str, Launch] = {}
        self._under_way = 0
        self._is_stopping = False

    @property
    def under_way(self) -> int:
        """Launches that have not ended."""
        return self._under_way

    def find(self, launch_id: str) -> Launch | None:
        """The launch of that id, if it is still known."""
        return self._launches.get(launch_id)

    def begin(self, request: LaunchRequest) -> Launch:
        """Start a launch. Raises `Busy` when there are too many."""
        return self._start(self._make(new_launch_id(), request))

    async def resume(
        self,
        seen: EventId,
        request: LaunchRequest,
        *,
        before_begin: Callable[[], Awaitable[None]] | None = None,
    ) -> Launch | None:
        """The launch of which somebody has seen the event `seen`, wherever it was begun.

        One that nobody knows any more is begun again from there, under its own id. None
        when it is not what `request` asks for. Raises `Busy`, and what `before_begin` raises,
        which is awaited before one that nobody knows is begun.
        """
        launch = self.find(seen.launch)
        if launch is None:
            kept = await self._fetch(seen.launch)
            if kept is None and before_begin is not None and self.find(seen.launch) is None:
                await before_begin()
            # Not before now: somebody else may have come for it while that was awaited.
            launch = self.find(seen.launch) or self._resume(seen, request, kept)
        if launch.request.path != request.path:
            return None
        launch.hint(seen)
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
                    self._forget(launch)
            elif self._is_abandoned(launch, now):
                await self._give_up(launch, now)

    async def release(self) -> None:
        """Stop in order: launches under way are for the other replicas from now on."""
        self._is_stopping = True
        running = [launch for launch in self._launches.values() if launch.ended_at is None]
        tasks = [launch.task for launch in running if launch.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)
        await self.records.release([launch for launch in running if launch.is_ours])
        for launch in running:
            launch.log.cut()

    def _make(self, launch_id: str, request: LaunchRequest) -> Launch:
        return Launch(
            launch_id,
            request,
            log=EventLog(kept=self._settings.kept_events),
            now=self._clock(),
            on_change=self._changed,
        )

    def _start(self, launch: Launch) -> Launch:
        if self._is_stopping or self.under_way >= self._settings.most_at_once:
            raise Busy("Very many launches are under way.", retry_after_seconds=10)
        self._launches[launch.id] = launch
        self._under_way += 1
        launch.task = self._tasks.start(self._run(launch), name=f"launch:{launch.id}")
        # Not in the task itself: one that is cancelled before its first step runs nothing.
        launch.task.add_done_callback(lambda _: self._ended(launch))
        return launch

    def _resume(self, seen: EventId, request: LaunchRequest, kept: KeptLaunch | None) -> Launch:
        launch = self._make(seen.launch, request)
        launch.is_ours = False
        if kept is not None:
            launch.adopt(kept)
        if launch.request.path != request.path:
            return launch
        if launch.log.is_finished:
            self._launches[launch.id] = launch
            launch.ended_at = self._clock()
            return launch
        launch.hint(seen)
        return self._start(launch)

    async def _fetch(self, launch_id: str) -> KeptLaunch | None:
        try:
            return await self.records.fetch(launch_id)
        except RecordsUnavailable:
            return None

    def _changed(self, launch: Launch, is_urgent: bool) -> None:
        if launch.is_ours:
            self.records.changed(launch, is_urgent=is_urgent)
        if launch.log.is_finished:
            self._record_end(launch)

    def _record_end(self, launch: Launch) -> None:
        """At the replica that runs it, and there once."""
        if launch.is_ours and not launch.is_recorded:
            launch.is_recorded = True
            self._on_end(launch)

    def _is_abandoned(self, launch: Launch, now: float) -> bool:
        return not launch.watchers and now - launch.unwatched_since > self._settings.resume_seconds

    async def _give_up(self, launch: Launch, now: float) -> None:
        if launch.is_ours and await self.records.is_followed(launch.id):
            launch.unwatched_since = now  # its visitor is at another replica
            return
        log.info("launch_abandoned", launch=launch.id)
        launch.is_given_up = launch.is_ours
        self._record_end(launch)
        self._launches.pop(launch.id, None)
        if launch.task is not None:
            launch.task.cancel()
        if launch.is_ours:  # whoever comes back for it, anywhere, may have it begun again
            await self.records.release([launch])

    def _forget(self, launch: Launch) -> None:
        del self._launches[launch.id]
        if launch.is_ours:
            self.records.forget(launch.id)

    def _lost(self, launch_id: str) -> None:
        """Another replica goes on with it: whoever watches here is sent there."""
        launch = self._launches.pop(launch_id, None)
        if launch is None:
            return
        log.warning("launch_lost", launch=launch_id)
        launch.is_ours = False
        launch.log.cut()
        if launch.task is not None:
            launch.task.cancel()

    async def _run(self, launch: Launch) -> None:
        LAUNCH_ID.set(launch.id)  # of this task alone, for its log lines
        try:
            if not launch.is_ours:
                await self._following.follow(launch)
            if not launch.log.is_finished:
                await self._runner.run(launch)
        except Exception:  # a launch that trips over a bug of ours ends alone, and is told
            log.exception("launch_crashed", launch=launch.id)
            launch.tell(failed_event(ServiceError("Something went wrong on our side.")))

    def _ended(self, launch: Launch) -> None:
        launch.ended_at = self._clock()
        self._under_way -= 1
