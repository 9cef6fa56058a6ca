"""The warm servers that there are: started here, removed here, remembered until they go.

Starting goes through the launcher, removing through `removal.py`. A server that is removed
is forgotten at once, so that nobody can take it; its place is free when the hub let it go.
Neighbours: `pool.py` says what to start and to remove, `giving.py` gives servers away.
"""

import asyncio
from collections.abc import Callable, Iterator

import structlog

from binder_federation.binder.events import Event
from binder_federation.binder.spec import ImageKey
from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.core.warm_plan import Waiting, Waste
from binder_federation.cluster_agent.launcher import Launcher, ServerOptions
from binder_federation.cluster_agent.removal import Removals
from binder_federation.cluster_agent.sessions import Sessions
from binder_federation.cluster_agent.warm.metrics import WarmMetrics
from binder_federation.cluster_agent.warm.pauses import Pauses
from binder_federation.cluster_agent.warm.servers import WarmServer, WarmState
from binder_federation.runtime.errors import ServiceError
from binder_federation.runtime.tasks import BackgroundTasks

log = structlog.get_logger(__name__)


class Shelf:
    """All warm servers of one agent, in its memory alone."""

    def __init__(
        self,
        *,
        launcher: Launcher,
        sessions: Sessions,
        removals: Removals,
        tasks: BackgroundTasks,
        metrics: WarmMetrics,
        clock: Callable[[], float],
    ) -> None:
        self._launcher = launcher
        self._sessions = sessions
        self._removals = removals
        self._tasks = tasks
        self._metrics = metrics
        self._clock = clock
        self._servers: dict[str, WarmServer] = {}
        self._listeners: list[Callable[[], None]] = []
        self.pauses = Pauses()
        """Images whose servers do not start."""

    def __iter__(self) -> Iterator[WarmServer]:
        return iter(list(self._servers.values()))

    def __getitem__(self, name: str) -> WarmServer:
        return self._servers[name]

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever a server became ready, was given away or is removed."""
        self._listeners.append(listener)

    def in_state(self, state: WarmState) -> list[WarmServer]:
        """The servers in that state."""
        return [server for server in self if server.state is state]

    def waiting(self) -> list[Waiting]:
        """The servers that nobody has taken, also those that are starting."""
        now = self._clock()
        return [each.as_waiting(now) for each in self if each.state is not WarmState.TAKEN]

    def begin(self, key: ImageKey, name: str, options: ServerOptions) -> None:
        """Start a server of the image for a new user, in the background."""
        place = self._sessions.hold_warm(ServerName(name), options.repository, image=options.image)
        server = self._servers[name] = WarmServer(key, place)
        self._metrics.started.inc()
        server.start = self._tasks.start(self._start(server, options), name=f"warm-{name}")
        server.start.add_done_callback(lambda _: self._start_ended(server))

    def remove(self, server: WarmServer, why: Waste) -> None:
        """Forget the server now, and remove it from the hub soon."""
        self._forget(server, why)
        if server.start is not None and server.running is None:
            server.start.cancel()  # the launcher cleans up
        else:
            self._removals.remove_soon(
                server.place.server, then=lambda: self._sessions.release(server.place)
            )
        self._tell_change()

    def give(self, server: WarmServer) -> None:
        """The server is a session now, and no concern of the shelf's any more."""
        del self._servers[server.name]
        self._tell_change()

    async def stop(self, *, within_seconds: float) -> None:
        """Remove all that wait; those that are starting have begun to end when this returns."""
        starts = [each.start for each in self if each.start is not None]
        for server in self:
            if server.state is not WarmState.TAKEN:
                self.remove(server, Waste.STOPPING)
        if starts:
            await asyncio.wait(starts, timeout=within_seconds)

    async def _start(self, server: WarmServer, options: ServerOptions) -> None:
        server.has_begun = True
        try:
            running = await self._launcher.launch(server.place, options, _tell_nobody)
        except ServiceError as error:
            log.warning("warm_server_not_started", user=server.name, reason=error.message)
            self.pauses.failed(server.key, now=self._clock())
            self._forget(server, Waste.NOT_STARTED)
            self._tell_change()
        else:
            self.pauses.succeeded(server.key)
            server.become_ready(running, now=self._clock())
            self._tell_change()

    def _start_ended(self, server: WarmServer) -> None:
        # Here and not in the task: one that is cancelled before its first step runs nothing.
        server.start = None
        if not server.has_begun:
            self._sessions.release(server.place)

    def _forget(self, server: WarmServer, why: Waste) -> None:
        if self._servers.pop(server.name, None) is not None:
            self._metrics.wasted.labels(why.value).inc()

    def _tell_change(self) -> None:
        for listener in self._listeners:
            listener()


def _tell_nobody(_event: Event) -> None:
    """Nobody watches the start of a warm server."""
