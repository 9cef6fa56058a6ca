"""Which warm servers were given to visitors, where it outlives the agent: in the hub.

A server that is started warm says so in its options. Before a visitor is told of it, its
user is added to a group of the hub. So an agent that starts anew can tell: a warm server
outside the group was given to nobody who was told, and is removed; it is never given away.
The group's members leave it when the hub deletes them.

https://jupyterhub.readthedocs.io/en/stable/reference/rest-api.html, `/groups`; the agent's
service needs the scope `admin:groups`. A hub whose authenticator manages groups refuses, and
then nothing is handed out.
"""

import asyncio

import structlog

from binder_federation.cluster_agent.hub_api import HubApi
from binder_federation.cluster_agent.hub_models import HANDED_OUT_GROUP
from binder_federation.runtime.errors import ServiceError

log = structlog.get_logger(__name__)

RECORD_SECONDS = 3.0
"""A visitor waits meanwhile, and would rather have a server started than wait for long."""


class HandOuts:
    """The hub's record of what was handed out."""

    def __init__(self, *, hub: HubApi) -> None:
        self._hub = hub

    async def record(self, name: str) -> bool:
        """Note that the user's server is a visitor's; whether the hub has it now for sure."""
        deadline = asyncio.get_running_loop().time() + RECORD_SECONDS
        try:
            if await self._hub.add_to_group(name, HANDED_OUT_GROUP, deadline=deadline):
                return True
            await self._hub.ensure_group(HANDED_OUT_GROUP, deadline=deadline)
            return await self._hub.add_to_group(name, HANDED_OUT_GROUP, deadline=deadline)
        except ServiceError as error:
            log.warning("hand_out_not_recorded", user=name, reason=error.message)
            return False
