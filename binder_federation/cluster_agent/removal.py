"""Removing hub users whose launch failed or was given up, and what is left of them.

A removal runs as a background task of its own, so that a cancelled launch is
cleaned up all the same. Whoever is still in the hub's list after that is left to
`reap`, which tries again with a bounded number per pass and never gives up: at
mybinder.org culls that failed were retried until the hub drowned in them
(2018-04-18). Only users that this process made are ever touched; those of an
earlier run are the idle culler's.
"""

import asyncio
from collections.abc import Callable
from itertools import islice

import structlog

from binder_federation.binder.errors import LaunchFailed
from binder_federation.cluster_agent.hub_api import HubApi
from binder_federation.cluster_agent.metrics import AgentMetrics
from binder_federation.cluster_agent.sessions import Sessions
from binder_federation.runtime.errors import ServiceError
from binder_federation.runtime.tasks import BackgroundTasks

log = structlog.get_logger(__name__)

REMOVE_SECONDS = 30.0
STOPPING_PAUSE_SECONDS = 0.25
REAP_EVERY_SECONDS = 30.0
REAP_AFTER_SECONDS = 300.0
MOST_PER_PASS = 10


class Removals:
    """Removes the hub users of this agent."""

    def __init__(
        self,
        *,
        hub: HubApi,
        sessions: Sessions,
        tasks: BackgroundTasks,
        metrics: AgentMetrics,
        clock: Callable[[], float],
    ) -> None:
        self._hub = hub
        self._sessions = sessions
        self._tasks = tasks
        self._metrics = metrics
        self._clock = clock
        self._made: dict[str, float] = {}
        self._unwanted: dict[str, None] = {}
        self._running: set[asyncio.Task[None]] = set()

    def note_made(self, name: str) -> None:
        """The user is this agent's: it is about to be made."""
        self._made[name] = self._clock()

    def is_ours(self, name: str) -> bool:
        """Whether the user is known to be this agent's, and its removal is seen to."""
        return name in self._made

    def remove_soon(self, name: str, *, then: Callable[[], None]) -> None:
        """Remove the user's server and the user; call `then` when that ended, well or not."""

        async def run() -> None:
            try:
                await self._try_removal(name)
            finally:
                then()

        task = self._tasks.start(run(), name=f"remove-{name}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def wait(self, *, timeout_seconds: float) -> None:
        """Until the removals that run have ended, but not longer than that."""
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_seconds)

    async def reap(self) -> None:
        """One pass: who should be gone and is still listed, and whose session has ended."""
        self._forget_the_gone()
        for name in islice(dict.fromkeys([*self._left_over(), *self._ended()]), MOST_PER_PASS):
            await self._try_removal(name)

    async def _try_removal(self, name: str) -> None:
        # To the end of the line: after a failure the others get their turn first.
        self._unwanted.pop(name, None)
        self._unwanted[name] = None
        deadline = asyncio.get_running_loop().time() + REMOVE_SECONDS
        try:
            await self._remove(name, deadline)
        except ServiceError as error:
            log.warning("hub_user_left_over", user=name, reason=error.message)
            self._metrics.removals.labels("failed").inc()
        else:
            self._sessions.note_gone(name)
            self._metrics.removals.labels("removed").inc()

    async def _remove(self, name: str, deadline: float) -> None:
        """Stop the server, wait until it has stopped, delete the user."""
        if not await self._hub.delete_server(name, deadline=deadline):
            await self._wait_until_stopped(name, deadline)
        await self._hub.delete_user(name, deadline=deadline)

    async def _wait_until_stopped(self, name: str, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < deadline:
            user = await self._hub.user(name, deadline=deadline)
            if user is None or user.server is None:
                return
            await asyncio.sleep(STOPPING_PAUSE_SECONDS)
        raise LaunchFailed(f"The server of {name} does not stop.")

    def _left_over(self) -> list[str]:
        """Users who were removed, and are in the hub's list all the same."""
        listed = {user.name for user in self._sessions.users}
        return [name for name in self._unwanted if name in listed]

    def _ended(self) -> list[str]:
        """Users of ours, old enough, without a server and without a launch."""
        return [
            user.name
            for user in self._sessions.users
            if user.server is None
            and self._is_old(user.name)
            and not self._sessions.has_place(user.name)
        ]

    def _is_old(self, name: str) -> bool:
        """Ours, and made long enough ago."""
        made_at = self._made.get(name)
        return made_at is not None and self._clock() - made_at >= REAP_AFTER_SECONDS

    def _forget_the_gone(self) -> None:
        """A user who is not listed long after being made will not come back."""
        if not self._sessions.is_current:
            return
        listed = {user.name for user in self._sessions.users}
        for name in list(self._made):
            if self._is_old(name) and name not in listed and not self._sessions.has_place(name):
                del self._made[name]
                self._unwanted.pop(name, None)
