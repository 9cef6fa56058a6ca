"""How many sessions there are, and who may have one more.

The hub's own list, read every few seconds, says which servers run and start. In
between, launches hold places: a place is taken before the launch awaits anything
and kept until the hub's list shows the session, or until a failed launch has been
cleaned up. So the sum is never too low, however many launches come at once.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass

import structlog

from binder_federation.cluster_agent.core.quotas import Quota, Usage, find_refusal
from binder_federation.cluster_agent.hub_api import HubApi
from binder_federation.cluster_agent.hub_models import HubServer, HubUser
from binder_federation.runtime.errors import ServiceError

log = structlog.get_logger(__name__)

LIST_SECONDS = 15.0


@dataclass(slots=True)
class Place:
    """A session that there will be, or is: `name` is the hub user's."""

    name: str
    repository: str
    image: str = ""
    """The image's reference, once it is known: it must not be removed now."""
    ready_at_reading: int | None = None
    """Which reading of the hub's list had begun when the server was ready."""


class Sessions:
    """The sessions of this member, as the hub lists them, and the places held."""

    def __init__(self, *, hub: HubApi, quota: Quota) -> None:
        self._hub = hub
        self._quota = quota
        self._places: dict[str, Place] = {}
        self._users: tuple[HubUser, ...] = ()
        self._readings = 0
        self._is_known = True

    @property
    def capacity(self) -> int:
        """Sessions that fit."""
        return self._quota.sessions

    @property
    def users(self) -> tuple[HubUser, ...]:
        """The hub's users, as last read."""
        return self._users

    @property
    def is_current(self) -> bool:
        """Whether the last reading of the hub's list succeeded."""
        return self._is_known

    def hold(self, name: str, repository: str) -> Place:
        """Take a place for `name`, or raise why there is none."""
        refusal = find_refusal(self.usage(), repository=repository, quota=self._quota)
        if refusal is not None:
            raise refusal
        place = self._places[name] = Place(name, repository)
        return place

    def note_ready(self, place: Place) -> None:
        """The server runs: the place is kept until a later reading shows it."""
        place.ready_at_reading = self._readings

    def release(self, place: Place) -> None:
        """The place is free: there is no session, or the hub's list has it."""
        self._places.pop(place.name, None)

    def has_place(self, name: str) -> bool:
        """Whether a launch holds a place for the user."""
        return name in self._places

    def usage(self) -> Usage:
        """What counts towards the quota now."""
        servers = {user.name: user.server for user in self._users if user.server is not None}
        of_hub = [
            server.option("repository") or server.option("repo_url")
            for name, server in servers.items()
            if name not in self._places
        ]
        running = sum(_is_running(server) for server in servers.values())
        total = len(of_hub) + len(self._places)
        by_repository = Counter(of_hub)
        by_repository.update(place.repository for place in self._places.values())
        return Usage(running=running, pending=total - running, by_repository=by_repository)

    def images_in_use(self) -> frozenset[str]:
        """References of images that a session or a launch uses."""
        of_hub = {user.server.option("image") for user in self._users if user.server is not None}
        held = {place.image for place in self._places.values()}
        return frozenset((of_hub | held) - {""})

    async def refresh(self) -> None:
        """Read the hub's list; what was known stays when it cannot be read."""
        self._readings += 1
        reading = self._readings
        deadline = asyncio.get_running_loop().time() + LIST_SECONDS
        try:
            users = await self._hub.users(deadline=deadline)
        except ServiceError as error:
            if self._is_known:
                log.warning("hub_list_unreadable", reason=error.message)
            self._is_known = False
            return
        if not self._is_known:
            log.info("hub_list_readable")
        self._is_known = True
        self._users = tuple(users)
        # A server that became ready while the list was read may be missing from it.
        for place in list(self._places.values()):
            if place.ready_at_reading is not None and place.ready_at_reading < reading:
                self.release(place)


def _is_running(server: HubServer) -> bool:
    return server.ready and server.pending is None
