"""Ends servers that nobody uses, and tells the hub when the others were last used.

JupyterHub learns of activity from its proxy or from `jupyterhub-singleuser`, and ends what is
idle with one limit for all. Neither fits: to a proxy an open tab is activity for as long as it
is open, and a workshop's sessions may last longer than others. So the agent asks each server
(`server_use.py`), judges (`core/idleness.py`) by the limits of its repository, and removes it.
The hub is told the same times, so that its own culler, which a hub that the agent runs has as
well, ends what an agent that is away does not.

A warm server counts as used for as long as it waits, and once more when it is handed out: whoever
gets it has the whole idle time. The hub keeps the latest time that it was told.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from binder_federation.cluster_agent.core.idleness import (
    Ending,
    ServerUse,
    SessionLimits,
    find_ending,
    last_use,
    last_work,
)
from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.hub_api import HubApi
from binder_federation.cluster_agent.hub_models import HubServer
from binder_federation.cluster_agent.idle.server_use import fetch_use
from binder_federation.cluster_agent.metrics import AgentMetrics
from binder_federation.cluster_agent.removal import Removals
from binder_federation.cluster_agent.sessions import Sessions
from binder_federation.config.agent import AgentLaunchSettings
from binder_federation.config.resources import PatternSettings, settings_for
from binder_federation.runtime.errors import ServiceError

log = structlog.get_logger(__name__)

AT_ONCE = 10
POST_SECONDS = 10.0


class Culling:
    """Looks at all servers, and ends those whose time is over."""

    def __init__(
        self,
        *,
        hub: HubApi,
        sessions: Sessions,
        removals: Removals,
        metrics: AgentMetrics,
        launch: AgentLaunchSettings,
        patterns: Sequence[PatternSettings],
    ) -> None:
        self._hub = hub
        self._sessions = sessions
        self._removals = removals
        self._metrics = metrics
        self._launch = launch
        self._patterns = patterns
        self._handed_out: dict[ServerName, float] = {}
        """When a visitor was given a server that had waited."""
        self._worked: dict[ServerName, float] = {}
        """When a kernel or terminal was last seen in use: it may have been shut down since."""
        self._being_ended: set[ServerName] = set()

    async def look(self) -> None:
        """One pass over all running servers, a few at a time."""
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(name: ServerName, server: HubServer) -> None:
            async with limit:
                await self._look_at(name, server)

        servers = self._sessions.servers
        for times in (self._handed_out, self._worked):
            for gone in times.keys() - servers.keys():
                del times[gone]
        async with asyncio.TaskGroup() as group:
            for name, server in servers.items():
                if server.ready and name not in self._being_ended:
                    group.create_task(one(name, server))

    async def _look_at(self, name: ServerName, server: HubServer) -> None:
        token = server.option("token")
        if not token:
            return  # not started by us
        if self._sessions.is_waiting_warm(name):
            await self._post(name, datetime.now(UTC))
            return
        use = await fetch_use(self._hub, name, token)
        now = datetime.now(UTC).timestamp()
        limits = self._limits_of(server)
        started = self._started(name, server, now=now)
        # A server that does not tell may be busy: only its age ends it.
        last_used = now if use is None else self._last_use(name, use, started, limits, now)
        ending = find_ending(started=started, last_used=last_used, limits=limits, now=now)
        if ending is not None and self._is_ours(name, server):
            self._end(name, server, ending, idle_seconds=now - last_used)
        elif use is not None:
            await self._post(name, datetime.fromtimestamp(last_used, UTC))

    def _is_ours(self, name: ServerName, server: HubServer) -> bool:
        """A hub that is shared has servers of others too; those it ends itself."""
        return bool(server.option("repository")) and not self._sessions.has_place(name)

    def _last_use(
        self, name: ServerName, use: ServerUse, started: float, limits: SessionLimits, now: float
    ) -> float:
        worked = last_work(use, now=now)
        if worked is not None:
            self._worked[name] = max(worked, self._worked.get(name, 0.0))
        since = max(started, self._worked.get(name, 0.0))
        return last_use(use, since=since, limits=limits, now=now)

    def _started(self, name: ServerName, server: HubServer, *, now: float) -> float:
        """A session's age begins with its visitor."""
        started = server.started.timestamp() if server.started is not None else now
        return self._handed_out.get(name, started)

    def _limits_of(self, server: HubServer) -> SessionLimits:
        found = settings_for(self._patterns, server.option("repository"))
        launch = self._launch
        return SessionLimits(
            idle_seconds=found.get("cull_idle_seconds", launch.cull_idle_seconds),
            max_age_seconds=found.get("max_age_seconds", launch.max_age_seconds),
            without_kernels_seconds=launch.cull_without_kernels_seconds,
        )

    def _end(
        self, name: ServerName, server: HubServer, ending: Ending, *, idle_seconds: float
    ) -> None:
        log.info(
            "server_culled",
            server=str(name),
            reason=str(ending),
            repository=server.option("repository"),
            idle_seconds=round(idle_seconds),
        )
        self._metrics.culled.labels(str(ending)).inc()
        self._being_ended.add(name)
        self._removals.remove_soon(name, then=lambda: self._being_ended.discard(name))

    async def note_handed_out(self, server: ServerName) -> None:
        """A visitor was given the server just now: it is used, and its age begins."""
        now = datetime.now(UTC)
        self._handed_out[server] = now.timestamp()
        await self._post(server, now)

    async def _post(self, server: ServerName, last_activity: datetime) -> None:
        deadline = asyncio.get_running_loop().time() + POST_SECONDS
        try:
            await self._hub.post_activity(server, last_activity, deadline=deadline)
        except ServiceError as error:
            log.info("activity_not_taken", server=str(server), reason=error.message)
