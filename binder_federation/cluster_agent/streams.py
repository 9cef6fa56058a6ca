"""The launches of this agent that somebody watches, or watched until a moment ago.

Each runs in a task of its own and fills a record; the stream's handler reads the
record at its client's pace. A client without a launch id in its token is alone with
its launch: when it goes away, the launch ends and cleans up after itself; a build that
it watched goes on.

A launch with an id outlives its stream. The federation's replica may have died, and
another one asks for the same launch: it gets the record from where it says, and no
second server. If nobody asks within the grace period, the launch is given up and its
place is free again; also a session that became ready meanwhile and that nobody was told
of is removed. A federation that wants no more says so, and nothing waits.
"""

import asyncio
from collections.abc import Callable

import structlog

from binder_federation.binder.errors import LaunchFailed
from binder_federation.binder.events import failed_event
from binder_federation.cluster_agent.broadcast import Broadcast
from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.launches import Launches, LaunchRequest
from binder_federation.cluster_agent.removal import Removals
from binder_federation.config.agent import AgentLaunchSettings
from binder_federation.runtime.errors import Fault, ServiceError
from binder_federation.runtime.log_context import LAUNCH_ID
from binder_federation.runtime.tasks import BackgroundTasks

log = structlog.get_logger(__name__)

LaunchKey = tuple[str, str, bool]
"""Id, path, and whether only an image is wanted."""


class LaunchStream:
    """One launch on its way: what it tells, the task that drives it, who watches."""

    def __init__(self, request: LaunchRequest) -> None:
        self.request = request
        self.record = Broadcast()
        self.task: asyncio.Task[None] | None = None
        self.watchers = 0
        self.is_unwanted = False
        """Its federation wants no more of it: there is no grace when its stream ends."""
        self.is_collected = False
        """Somebody was told how it ended."""
        self.server: ServerName | None = None
        """The server that it made."""
        self.failure: ServiceError | None = None

    @property
    def has_id(self) -> bool:
        """Whether it can be asked for again."""
        return bool(self.request.claims.launch)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens."""
        return self.task is None or self.task.done()

    @property
    def is_worth_keeping(self) -> bool:
        """Whether the same launch would end the same way; a full member may have room again."""
        fault = self.failure.fault if self.failure is not None else None
        return fault is None or fault is Fault.REPOSITORY


class LaunchStreams:
    """All launches of this agent that can be watched now."""

    def __init__(
        self,
        *,
        launches: Launches,
        removals: Removals,
        settings: AgentLaunchSettings,
        tasks: BackgroundTasks,
    ) -> None:
        self._launches = launches
        self._removals = removals
        self._settings = settings
        self._tasks = tasks
        self._open: set[asyncio.Task[None]] = set()
        self._known: dict[LaunchKey, LaunchStream] = {}
        self._timers: dict[LaunchStream, asyncio.TimerHandle] = {}
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

    def find(self, request: LaunchRequest) -> LaunchStream | None:
        """The launch that was begun with the same id for the same path, if it is still known."""
        return self._known.get(_key(request)) if request.claims.launch else None

    def begin(self, request: LaunchRequest) -> LaunchStream:
        """Begin the launch that `request` asks for."""
        stream = LaunchStream(request)
        stream.task = task = self._tasks.start(self._run(stream), name="launch")
        if stream.has_id:
            self._known[_key(request)] = stream
        self._open.add(task)
        task.add_done_callback(lambda _: self._ended(stream))
        return stream

    def join(self, stream: LaunchStream) -> None:
        """Somebody watches; `leave` must follow."""
        stream.watchers += 1
        stream.is_unwanted = False
        self._stop_timer(stream)

    def leave(self, stream: LaunchStream) -> None:
        """Somebody watches no more: the last one to leave may end the launch."""
        stream.watchers -= 1
        if stream.watchers:
            return
        if not stream.has_id or stream.is_unwanted:
            self._give_up(stream)
        elif not (stream.has_ended and stream.is_collected):
            self._start_timer(stream, self._settings.grace_seconds, self._give_up)
        else:
            self._start_timer(stream, self._settings.kept_seconds, self._forget)

    def dismiss(self, request: LaunchRequest) -> None:
        """The federation wants no more of that launch; who else watches it is not disturbed."""
        stream = self.find(request)
        if stream is None:
            return
        stream.is_unwanted = True
        if not stream.watchers:
            self._give_up(stream)

    async def stop(self) -> None:
        """Begin no launch any more, end those that run, and tell who watches."""
        self._stopping.set()
        for stream in list(self._timers):
            self._stop_timer(stream)
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)

    def _give_up(self, stream: LaunchStream) -> None:
        """End it if it runs; remove what it made, unless somebody was told of it."""
        if stream.task is not None and not stream.task.done():
            stream.task.cancel()
        elif stream.server is not None and not stream.is_collected and stream.has_id:
            log.info("session_nobody_asked_for", server=str(stream.server))
            self._removals.remove_soon(stream.server, then=lambda: None)
        self._forget(stream)

    def _forget(self, stream: LaunchStream) -> None:
        self._stop_timer(stream)
        if self._known.get(_key(stream.request)) is stream:
            del self._known[_key(stream.request)]

    def _ended(self, stream: LaunchStream) -> None:
        # Here and not in the task: one that is cancelled before its first step runs nothing.
        assert stream.task is not None  # noqa: S101 - this is its callback
        self._open.discard(stream.task)
        stream.record.close()
        if stream.task.cancelled() or not stream.is_worth_keeping:
            self._forget(stream)

    def _start_timer(
        self, stream: LaunchStream, seconds: float, then: Callable[[LaunchStream], None]
    ) -> None:
        self._stop_timer(stream)
        if not self.is_stopping:
            loop = asyncio.get_running_loop()
            self._timers[stream] = loop.call_later(seconds, then, stream)

    def _stop_timer(self, stream: LaunchStream) -> None:
        timer = self._timers.pop(stream, None)
        if timer is not None:
            timer.cancel()

    async def _run(self, stream: LaunchStream) -> None:
        LAUNCH_ID.set(stream.request.claims.launch)  # of this task alone, for its log lines
        try:
            await self._launch(stream)
        except ServiceError as error:
            self._fail(stream, error)
        except asyncio.CancelledError:
            if self.is_stopping:
                self._fail(stream, _stopping())
            raise
        except Exception:
            log.exception("launch_crashed", path=stream.request.raw_path[:200])
            self._fail(
                stream, LaunchFailed("Something went wrong at this member. It has been logged.")
            )

    def _fail(self, stream: LaunchStream, error: ServiceError) -> None:
        stream.failure = error
        stream.record.append(failed_event(error))

    async def _launch(self, stream: LaunchStream) -> None:
        if self.is_stopping:
            raise _stopping()
        stream.server = await self._launches.run(stream.request, stream.record.append)


def _key(request: LaunchRequest) -> LaunchKey:
    return request.claims.launch, request.raw_path, request.is_build_only


def _stopping() -> LaunchFailed:
    return LaunchFailed("This member is stopping and takes no launches.")
