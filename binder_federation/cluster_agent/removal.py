"""Removing servers whose launch failed or was given up, and what is left of them.

With its server a temporary user goes; of a user who is logged in (`core/server_names.py`)
only the named server does.

A removal runs as a background task of its own, so that a cancelled launch is
cleaned up all the same. Whoever is still in the hub's list after that is left to
`reap`, which tries again with a bounded number per pass and never gives up: at
mybinder.org culls that failed were retried until the hub drowned in them
(2018-04-18). Only what this process made is ever touched; what is of an earlier run is
the idle culler's. That cannot tell who is logged in, so where there are named servers it
removes no users: temporary ones of an earlier run are `adopted` here, by their servers.
"""

import asyncio
from collections.abc import Callable
from itertools import islice

import structlog

from binder_federation.binder.errors import LaunchFailed
from binder_federation.cluster_agent.core.names import is_user_of
from binder_federation.cluster_agent.core.server_names import ServerName
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
    """Removes the servers and the temporary users of this agent."""

    def __init__(
        self,
        *,
        hub: HubApi,
        sessions: Sessions,
        tasks: BackgroundTasks,
        metrics: AgentMetrics,
        clock: Callable[[], float],
        adopts_users: bool = False,
    ) -> None:
        """`adopts_users`: nobody else removes the temporary users of an earlier run."""
        self._hub = hub
        self._sessions = sessions
        self._tasks = tasks
        self._metrics = metrics
        self._clock = clock
        self._adopts_users = adopts_users
        self._made: dict[ServerName, float] = {}
        self._unwanted: dict[ServerName, None] = {}
        self._running: set[asyncio.Task[None]] = set()

    def note_made(self, server: ServerName) -> None:
        """The server is this agent's: it is about to be made."""
        self._made[server] = self._clock()

    def is_ours(self, server: ServerName) -> bool:
        """Whether the server is known to be this agent's, and its removal is seen to."""
        return server in self._made

    def remove_soon(self, server: ServerName, *, then: Callable[[], None]) -> None:
        """Remove the server and a temporary user; call `then` when that ended, well or not."""

        async def run() -> None:
            try:
                await self._try_removal(server)
            finally:
                then()

        task = self._tasks.start(run(), name=f"remove-{server}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def wait(self, *, timeout_seconds: float) -> None:
        """Until the removals that run have ended, but not longer than that."""
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_seconds)

    async def reap(self) -> None:
        """One pass: who should be gone and is still listed, and whose session has ended."""
        if self._adopts_users:
            self._adopt()
        self._forget_the_gone()
        due = dict.fromkeys([*self._left_over(), *self._ended()])
        for server in islice(due, MOST_PER_PASS):
            await self._try_removal(server)

    async def _try_removal(self, server: ServerName) -> None:
        # To the end of the line: after a failure the others get their turn first.
        self._unwanted.pop(server, None)
        self._unwanted[server] = None
        deadline = asyncio.get_running_loop().time() + REMOVE_SECONDS
        try:
            await self._remove(server, deadline)
        except ServiceError as error:
            log.warning("hub_server_left_over", server=str(server), reason=error.message)
            self._metrics.removals.labels("failed").inc()
        else:
            self._sessions.note_gone(server)
            self._metrics.removals.labels("removed").inc()
            if server.is_named:
                self._forget(server)  # the hub does not list it, be it there or not

    async def _remove(self, server: ServerName, deadline: float) -> None:
        """Stop the server, wait until it has stopped, delete a temporary user."""
        if not await self._hub.delete_server(server, deadline=deadline):
            await self._wait_until_stopped(server, deadline)
        if not server.is_named:
            await self._hub.delete_user(server.user, deadline=deadline)

    async def _wait_until_stopped(self, server: ServerName, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < deadline:
            if await self._hub.find_server(server, deadline=deadline) is None:
                return
            await asyncio.sleep(STOPPING_PAUSE_SECONDS)
        raise LaunchFailed(f"The server {server} does not stop.")

    def _left_over(self) -> list[ServerName]:
        """What was removed, and may be at the hub all the same."""
        listed = self._listed_users()
        return [server for server in self._unwanted if server.is_named or server in listed]

    def _ended(self) -> list[ServerName]:
        """Ours, old enough, without a server that runs and without a launch. Of a named server
        the hub keeps a record, which it does not list."""
        listed = self._listed_users()
        return [
            server
            for server in self._made
            if (server.is_named or server in listed)
            and server not in self._sessions.servers
            and self._is_old(server)
            and not self._sessions.has_place(server)
        ]

    def _listed_users(self) -> set[ServerName]:
        return {ServerName(user.name) for user in self._sessions.users}

    def _is_old(self, server: ServerName) -> bool:
        """Ours, and made long enough ago."""
        made_at = self._made.get(server)
        return made_at is not None and self._clock() - made_at >= REAP_AFTER_SECONDS

    def _adopt(self) -> None:
        """Whose name and options only an agent gives is a temporary user."""
        for name, server in self._sessions.servers.items():
            is_temporary = is_user_of(server.option("repository"), name.user)
            if is_temporary and not name.is_named and name not in self._made:
                self.note_made(name)

    def _forget_the_gone(self) -> None:
        """A temporary user who is not listed long after being made will not come back."""
        if not self._sessions.is_current:
            return
        listed = self._listed_users()
        for server in list(self._made):
            is_gone = not server.is_named and server not in listed
            if is_gone and self._is_old(server) and not self._sessions.has_place(server):
                self._forget(server)

    def _forget(self, server: ServerName) -> None:
        self._made.pop(server, None)
        self._unwanted.pop(server, None)
