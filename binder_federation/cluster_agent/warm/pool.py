"""The servers that wait for visitors: how many there are, and who gives way to whom.

`tend` brings the pool to what `core/warm_sizing.py` and `core/warm_plan.py` say, as often as
something changed and every few seconds; it never waits. It starts servers only in slots of the
launcher that no launch waits for. When every place is taken, warm servers give way to launches.

What the hub lists as waiting and is not in this process's memory is of an earlier run. Nobody
can tell whether it was half given away, so it is removed (`handouts.py`).

Neighbours: `shelf.py` holds the servers, `giving.py` hands them out, `launches.py` asks.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping

import structlog

from binder_federation.binder.errors import QuotaExceeded
from binder_federation.binder.messages import WarmRecord
from binder_federation.binder.spec import ImageKey, LaunchSpec
from binder_federation.cluster_agent.core.quotas import RETRY_AFTER_SECONDS
from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.core.warm_plan import Room, Waste, order_to_go, plan_pool
from binder_federation.cluster_agent.core.warm_sizing import (
    Occupancy,
    WarmRules,
    room_to_keep,
    room_to_start,
    size_pool,
)
from binder_federation.cluster_agent.launcher import Launcher, RunningServer, ServerOptions
from binder_federation.cluster_agent.removal import Removals
from binder_federation.cluster_agent.sessions import Place, Sessions
from binder_federation.cluster_agent.warm.demand import Demand
from binder_federation.cluster_agent.warm.giving import Giving
from binder_federation.cluster_agent.warm.metrics import WarmMetrics
from binder_federation.cluster_agent.warm.servers import WarmState
from binder_federation.cluster_agent.warm.shelf import Shelf

log = structlog.get_logger(__name__)

TEND_EVERY_SECONDS = 5.0
SPAWN_SECONDS = 10.0
"""While no server has been started here yet."""
GIVE_WAY_SECONDS = 30.0
STOP_SECONDS = 1.0


class WarmPool:
    """The warm servers of one member."""

    def __init__(
        self,
        *,
        shelf: Shelf,
        giving: Giving,
        demand: Demand,
        launcher: Launcher,
        sessions: Sessions,
        removals: Removals,
        images: Callable[[], Collection[str]],
        spawn_seconds: Callable[[], float | None],
        rules: WarmRules,
        concurrent: int,
        metrics: WarmMetrics,
        is_draining: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        self._shelf = shelf
        self._giving = giving
        self._demand = demand
        self._launcher = launcher
        self._sessions = sessions
        self._removals = removals
        self._images = images
        self._spawn_seconds = spawn_seconds
        self._rules = rules
        self._concurrent = concurrent
        self._metrics = metrics
        self._is_draining = is_draining
        self._clock = clock
        self._wanted: Mapping[str, int] = {}
        self._is_stopping = False
        self._is_tending_soon = False
        shelf.on_change(self._tend_soon)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever there are more or fewer servers to be had."""
        self._shelf.on_change(listener)

    def records(self) -> tuple[WarmRecord, ...]:
        """The images that servers wait for, and how many."""
        ready = Counter(each.key for each in self._shelf.in_state(WarmState.READY))
        return tuple(WarmRecord(key=key, servers=count) for key, count in sorted(ready.items()))

    def note_launch(self, key: ImageKey, spec: LaunchSpec, options: ServerOptions) -> None:
        """A visitor launches the image; `options` are those of a server for that visitor."""
        if self._rules.is_on:
            self._demand.note(key, spec, options, now=self._clock())

    async def take(self, key: ImageKey, place: Place) -> RunningServer | None:
        """A server of the image that is the caller's alone, or None.

        With a server `place` is free: the server has one of its own. Otherwise, and when this
        is cancelled, `place` is as before.
        """
        if not self._rules.is_on:
            return None
        server = await self._giving.give(key, place)
        missed = "miss" if key in self._wanted else "cold"
        self._metrics.launches.labels("hit" if server is not None else missed).inc()
        self._tend_soon()
        return server

    async def make_room(self, key: ImageKey) -> None:
        """Wait until a launch of the image that has its place fits in beside the warm servers.

        As many of them as needed go, those of other images first. Raises `QuotaExceeded` when
        the hub does not let them go in time.
        """
        try:
            async with asyncio.timeout(GIVE_WAY_SECONDS):
                while self._sessions.excess > 0 and self._sessions.usage().warm > 0:
                    self._give_way(key)
                    await self._sessions.wait_for_change()
        except TimeoutError as error:
            raise QuotaExceeded(
                "All places of this member are taken just now.",
                advice="Try again in a little while: places become free all the time.",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            ) from error

    async def check(self) -> None:
        """`tend`, for a loop."""
        self.tend()

    def _tend_soon(self) -> None:
        """After what is going on just now: the shelf may be in the middle of a change."""
        if not self._is_tending_soon:
            self._is_tending_soon = True
            asyncio.get_running_loop().call_soon(self._tend_now)

    def _tend_now(self) -> None:
        self._is_tending_soon = False
        self.tend()

    def tend(self) -> None:
        """Begin what brings the pool to what it should be. Never waits."""
        if self._is_stopping:
            return
        self._remove_unaccounted()
        self._remove_lost()
        usage = self._sessions.usage()
        # Nobody comes while the member drains, so nobody is waited for.
        capacity = 0 if self._is_draining() else self._sessions.capacity
        occupancy = Occupancy(capacity, usage.total)
        waiting = self._shelf.waiting()
        self._wanted = self._size(occupancy)
        plan = plan_pool(
            waiting,
            self._wanted,
            images=self._images(),
            room=self._room(occupancy, going=usage.warm - len(waiting)),
            max_age_seconds=self._rules.max_age_seconds,
        )
        for name, why in plan.remove:
            self._shelf.remove(self._shelf[name], why)
        for key in map(ImageKey, plan.start):
            self._shelf.begin(key, *self._demand.next_server(key))
        self._count()

    async def stop(self) -> None:
        """Start none any more, and begin to remove all that wait."""
        self._is_stopping = True
        await self._shelf.stop(within_seconds=STOP_SECONDS)

    def _size(self, occupancy: Occupancy) -> Mapping[str, int]:
        now = self._clock()
        rates = {
            key: rate
            for key, rate in self._demand.rates(now=now).items()
            if not self._shelf.pauses.is_paused(key, now=now)
        }
        return size_pool(
            rates,
            spawn_seconds=self._spawn_seconds() or SPAWN_SECONDS,
            occupancy=occupancy,
            rules=self._rules,
        )

    def _room(self, occupancy: Occupancy, *, going: int) -> Room:
        """Those that are going, or being handed out, have their places still."""
        starting = len(self._shelf.in_state(WarmState.STARTING))
        return Room(
            to_start=max(0, room_to_start(occupancy, self._rules) - going),
            to_keep=room_to_keep(occupancy, self._rules),
            starts=min(self._concurrent - starting, self._launcher.spare_slots),
        )

    def _remove_unaccounted(self) -> None:
        for user in self._sessions.users:
            server = ServerName(user.name)
            is_known = self._sessions.has_place(server) or self._removals.is_ours(server)
            if user.is_waiting_warm and not is_known:
                log.info("warm_server_of_earlier_run", user=user.name)
                self._metrics.wasted.labels(Waste.UNACCOUNTED.value).inc()
                self._removals.note_made(server)  # from now on it is seen to as ours are
                self._removals.remove_soon(server, then=lambda: None)

    def _remove_lost(self) -> None:
        for server in self._shelf.in_state(WarmState.READY):
            if self._sessions.has_lost(server.place):
                self._shelf.remove(server, Waste.DEAD)

    def _give_way(self, key: ImageKey) -> None:
        waiting = self._shelf.waiting()
        going = self._sessions.usage().warm - len(waiting)
        count = max(0, self._sessions.excess - going)
        for name in order_to_go(waiting, self._wanted, spare=key)[:count]:
            self._shelf.remove(self._shelf[name], Waste.GAVE_WAY)

    def _count(self) -> None:
        for state in WarmState:
            self._metrics.servers.labels(state.value).set(len(self._shelf.in_state(state)))
        self._metrics.wanted.set(sum(self._wanted.values()))
