"""Tells the hub when servers were last used, so that idle ones can be culled.

JupyterHub learns of activity from its proxy or from `jupyterhub-singleuser`. Our
proxy does not count and our servers are plain Jupyter servers, so the agent asks
each server (`/api/status`, which itself is no activity) and passes it on. A server
that does not answer is left alone: the hub's own polling notices the dead.

A warm server counts as used for as long as it waits, and once more when it is handed
out: whoever gets it has the whole idle time. The hub keeps the latest time it was told.
"""

import asyncio
from datetime import UTC, datetime

import structlog

from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.hub_api import HubApi
from binder_federation.cluster_agent.hub_models import HubServer
from binder_federation.cluster_agent.sessions import Sessions
from binder_federation.runtime.errors import ServiceError

log = structlog.get_logger(__name__)

ASK_EVERY_SECONDS = 60.0
AT_ONCE = 10
POST_SECONDS = 10.0


class Activity:
    """Passes servers' last activity on to the hub."""

    def __init__(self, *, hub: HubApi, sessions: Sessions) -> None:
        self._hub = hub
        self._sessions = sessions

    async def pass_on(self) -> None:
        """One pass over all running servers, a few at a time."""
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(name: ServerName, server: HubServer) -> None:
            async with limit:
                await self._pass_on_of(name, server)

        async with asyncio.TaskGroup() as group:
            for name, server in self._sessions.servers.items():
                if server.ready:
                    group.create_task(one(name, server))

    async def _pass_on_of(self, name: ServerName, server: HubServer) -> None:
        token = server.option("token")
        if not token:
            return  # not started by us
        status = await self._hub.server_status(name, token)
        if status is None or status.last_activity is None:
            return
        if self._sessions.is_waiting_warm(name):
            await self.note_used_now(name)
        else:
            await self._post(name, status.last_activity)

    async def note_used_now(self, server: ServerName) -> None:
        """Tell the hub that the server is used just now."""
        await self._post(server, datetime.now(UTC))

    async def _post(self, server: ServerName, last_activity: datetime) -> None:
        deadline = asyncio.get_running_loop().time() + POST_SECONDS
        try:
            await self._hub.post_activity(server, last_activity, deadline=deadline)
        except ServiceError as error:
            log.info("activity_not_taken", server=str(server), reason=error.message)
