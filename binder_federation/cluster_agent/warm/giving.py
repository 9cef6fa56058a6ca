"""Gives a warm server to a visitor, once.

Choosing a server and marking it taken is one step, and nobody looks at a taken one again.
It is asked whether it answers, and the hub notes the hand-out (`handouts.py`), before the
visitor is told. Whatever goes wrong on the way, the server is removed; nothing goes back to
the shelf.
"""

from collections.abc import Callable

from binder_federation.binder.spec import ImageKey
from binder_federation.cluster_agent.core.warm_plan import Waste
from binder_federation.cluster_agent.hub_api import HubApi
from binder_federation.cluster_agent.idle.culling import Culling
from binder_federation.cluster_agent.launcher import RunningServer
from binder_federation.cluster_agent.sessions import Place, Sessions
from binder_federation.cluster_agent.warm.handouts import HandOuts
from binder_federation.cluster_agent.warm.metrics import WarmMetrics
from binder_federation.cluster_agent.warm.servers import WarmServer, WarmState
from binder_federation.cluster_agent.warm.shelf import Shelf
from binder_federation.runtime.tasks import BackgroundTasks

ANSWER_SECONDS = 2.0
"""A server that is to be given away answers within so long, or counts as dead."""
MOST_TRIES = 3
"""Dead servers that one launch may find before it goes the usual way."""


class Giving:
    """Hands out the servers of a shelf."""

    def __init__(
        self,
        *,
        shelf: Shelf,
        hub: HubApi,
        handouts: HandOuts,
        culling: Culling,
        sessions: Sessions,
        tasks: BackgroundTasks,
        metrics: WarmMetrics,
        max_age_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._shelf = shelf
        self._hub = hub
        self._handouts = handouts
        self._culling = culling
        self._sessions = sessions
        self._tasks = tasks
        self._metrics = metrics
        self._max_age_seconds = max_age_seconds
        self._clock = clock

    async def give(self, key: ImageKey, place: Place) -> RunningServer | None:
        """A server of the image that is the caller's alone, or None; see `WarmPool.take`."""
        for _ in range(MOST_TRIES):
            server = self._choose(key)
            if server is None:
                return None
            trouble = await self._prepare(server)
            if trouble is None:
                return self._hand_over(server, place)
            self._shelf.remove(server, trouble)
            if trouble is Waste.NOT_RECORDED:
                return None  # the next one would not be recorded either
        return None

    def _choose(self, key: ImageKey) -> WarmServer | None:
        """The server that has waited longest, taken. No await: nobody else can choose it."""
        now = self._clock()
        fit = [
            server
            for server in self._shelf.in_state(WarmState.READY)
            if server.key == key and server.age_seconds(now) < self._max_age_seconds
        ]
        if not fit:
            return None
        server = max(fit, key=lambda each: each.age_seconds(now))
        server.state = WarmState.TAKEN
        return server

    async def _prepare(self, server: WarmServer) -> Waste | None:
        """Make sure that a taken server may be given away; else why not."""
        token = server.running.token if server.running is not None else ""
        try:
            status = await self._hub.server_status(
                server.place.server, token, within_seconds=ANSWER_SECONDS
            )
            if status is None:
                return Waste.DEAD
            is_recorded = await self._handouts.record(server.name)
        except BaseException:  # also a cancellation: it may be recorded, and nobody has it
            self._shelf.remove(server, Waste.ABANDONED)
            raise
        return None if is_recorded else Waste.NOT_RECORDED

    def _hand_over(self, server: WarmServer, place: Place) -> RunningServer:
        assert server.running is not None  # noqa: S101 - only what is ready is taken
        self._metrics.age_seconds.observe(server.age_seconds(self._clock()))
        self._sessions.hand_over(server.place, to=place)
        self._shelf.give(server)
        noting = self._culling.note_handed_out(server.place.server)
        self._tasks.start(noting, name=f"note-hand-out-{server.name}")
        return server.running
