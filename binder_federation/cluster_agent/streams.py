"""Launches that somebody watches: each runs in a task of its own and fills a record.

The stream's handler reads the record at its client's pace. When the client goes
away the task is cancelled, and the launch cleans up after itself; a build that it
watched goes on. When the agent stops, every launch is told so and ends.
"""

import asyncio
from dataclasses import dataclass

import structlog

from binder_federation.binder.errors import LaunchFailed
from binder_federation.binder.events import failed_event
from binder_federation.cluster_agent.broadcast import Broadcast
from binder_federation.cluster_agent.launches import Launches, LaunchRequest
from binder_federation.runtime.errors import ServiceError
from binder_federation.runtime.tasks import BackgroundTasks

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LaunchStream:
    """One launch on its way: what it tells, and the task that drives it."""

    record: Broadcast
    task: asyncio.Task[None]

    def leave(self) -> None:
        """Nobody watches any more: a launch that has not ended is given up."""
        self.task.cancel()


class LaunchStreams:
    """All launches of this agent that are watched now."""

    def __init__(self, *, launches: Launches, tasks: BackgroundTasks) -> None:
        self._launches = launches
        self._tasks = tasks
        self._open: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    @property
    def is_stopping(self) -> bool:
        """No launch begins any more, and streams need not be held."""
        return self._stopping.is_set()

    async def wait_for_stop(self, *, timeout_seconds: float) -> None:
        """Until the agent stops, but not longer than that."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    def open(self, request: LaunchRequest) -> LaunchStream:
        """Begin the launch that `request` asks for."""
        record = Broadcast()
        task = self._tasks.start(self._run(request, record), name="launch")
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        # A task that is cancelled before its first step never runs its own `finally`.
        task.add_done_callback(lambda _: record.close())
        return LaunchStream(record, task)

    async def stop(self) -> None:
        """Begin no launch any more, end those that run, and tell who watches."""
        self._stopping.set()
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)

    async def _run(self, request: LaunchRequest, record: Broadcast) -> None:
        try:
            await self._launch(request, record)
        except ServiceError as error:
            record.append(failed_event(error))
        except asyncio.CancelledError:
            if self.is_stopping:
                record.append(failed_event(_stopping()))
            raise
        except Exception:
            log.exception("launch_crashed", path=request.raw_path[:200])
            record.append(
                failed_event(
                    LaunchFailed("Something went wrong at this member. It has been logged.")
                )
            )

    async def _launch(self, request: LaunchRequest, record: Broadcast) -> None:
        if self.is_stopping:
            raise _stopping()
        await self._launches.run(request, record.append)


def _stopping() -> LaunchFailed:
    return LaunchFailed("This member is stopping and takes no launches.")
