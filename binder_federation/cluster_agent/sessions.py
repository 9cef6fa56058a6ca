"""How many sessions there are, and who may have one more.

The hub's own list, read every few seconds, says which servers run and start. In
between, launches hold places: a place is taken before the launch awaits anything
and kept until the hub's list shows the session, or until a failed launch has been
cleaned up. So the sum is never too low, however many launches come at once.

A warm server (warm/pool.py) holds a place from its start until it is removed or
handed out. It is counted apart: it does not make the member full, it gives way.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from binder_federation.cluster_agent.core.quotas import (
    Quota,
    Usage,
    find_refusal,
    find_user_refusal,
)
from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.hub_api import HubApi
from binder_federation.cluster_agent.hub_models import HubServer, HubUser
from binder_federation.config.resources import PatternSettings, settings_for
from binder_federation.runtime.errors import ServiceError

log = structlog.get_logger(__name__)

LIST_SECONDS = 15.0


@dataclass(slots=True)
class Place:
    """A session that there will be, or is."""

    server: ServerName
    repository: str
    image: str = ""
    """The image's reference, once it is known: it must not be removed now."""
    is_warm: bool = False
    """Its server waits for a visitor."""
    ready_at_reading: int | None = None
    """Which reading of the hub's list had begun when the server was ready."""


class Sessions:
    """The sessions of this member, as the hub lists them, and the places held."""

    def __init__(
        self, *, hub: HubApi, quota: Quota, patterns: Sequence[PatternSettings] = ()
    ) -> None:
        self._hub = hub
        self._quota = quota
        self._patterns = patterns
        self._fitting: int | None = None
        """Sessions for which the cluster has room, those that there are included."""
        self._places: dict[ServerName, Place] = {}
        self._users: tuple[HubUser, ...] = ()
        self._servers: dict[ServerName, HubServer] = {}
        """The users' active servers."""
        self._listed_warm: frozenset[ServerName] = frozenset()
        self._readings = 0
        self._read = 0
        """The latest reading that succeeded."""
        self._is_known = True
        self._changed = asyncio.Event()

    @property
    def capacity(self) -> int:
        """Sessions that fit: as many as the quota allows, or as the cluster has room for."""
        allowed = self._quota.sessions
        return allowed if self._fitting is None else min(allowed, self._fitting)

    @property
    def users(self) -> tuple[HubUser, ...]:
        """The hub's users, as last read."""
        return self._users

    @property
    def servers(self) -> Mapping[ServerName, HubServer]:
        """Servers that run, start or stop, as last read."""
        return self._servers

    @property
    def is_current(self) -> bool:
        """Whether the last reading of the hub's list succeeded."""
        return self._is_known

    def note_room(self, left: int | None) -> None:
        """The cluster has room for so many more sessions now; None when it does not tell."""
        usage = self.usage()
        self._fitting = None if left is None else usage.total + usage.warm + left

    def hold(self, server: ServerName, repository: str) -> Place:
        """Take a place for `server`, or raise why there is none."""
        quota = self._quota_for(repository)
        refusal: ServiceError | None = None
        if server.is_named:
            refusal = find_user_refusal(self._named_servers_of(server.user), quota=quota)
        refusal = refusal or find_refusal(self.usage(), repository=repository, quota=quota)
        if refusal is not None:
            raise refusal
        place = self._places[server] = Place(server, repository)
        return place

    def _named_servers_of(self, user: str) -> int:
        known = self._servers.keys() | self._places.keys()
        return sum(server.user == user and server.is_named for server in known)

    def _quota_for(self, repository: str) -> Quota:
        found = settings_for(self._patterns, repository)
        of_one = found.get("sessions_per_repository", self._quota.sessions_per_repository)
        return replace(self._quota, sessions_per_repository=of_one, fitting=self._fitting)

    def known_servers(self) -> frozenset[ServerName] | None:
        """Servers that there may be: the hub's, and those whose launch is under way; None while
        the hub is silent. (A hub that ended half way through a start remembers the user, not
        the server.)"""
        if not self._is_known:
            return None
        return frozenset(self._servers.keys() | self._places.keys())

    def hold_warm(self, server: ServerName, repository: str, *, image: str) -> Place:
        """Take a place for a server without a visitor; the pool knows how many there may be."""
        place = self._places[server] = Place(server, repository, image, is_warm=True)
        return place

    def hand_over(self, warm: Place, *, to: Place) -> None:
        """The warm server is a session now, in place of the one that `to` was taken for."""
        warm.is_warm = False
        warm.ready_at_reading = self._readings
        self.release(to)

    def note_ready(self, place: Place) -> None:
        """The server runs: the place is kept until a later reading shows it."""
        place.ready_at_reading = self._readings

    def release(self, place: Place) -> None:
        """The place is free: there is no session, or the hub's list has it."""
        self._places.pop(place.server, None)
        self._tell_change()

    async def wait_for_change(self) -> None:
        """Until a place became free, or the hub's list was read. No await before this and
        what was looked at before: a change in between would be missed."""
        await self._changed.wait()

    def note_gone(self, server: ServerName) -> None:
        """The server was removed just now, with its user unless it is a named one: the hub's
        list, as last read, is out of date."""
        if not server.is_named:
            self._users = tuple(user for user in self._users if user.name != server.user)
        self._servers.pop(server, None)
        self._tell_change()

    def has_place(self, server: ServerName) -> bool:
        """Whether a launch holds a place for the server, or the pool, as a warm one."""
        return server in self._places

    def is_waiting_warm(self, server: ServerName) -> bool:
        """Whether the server is a warm one that nobody was given."""
        place = self._places.get(server)
        return server in self._listed_warm if place is None else place.is_warm

    def has_lost(self, place: Place) -> bool:
        """Whether a later reading of the hub's list shows that the place's server has ended."""
        if place.ready_at_reading is None or place.ready_at_reading >= self._read:
            return False
        return place.server not in self._servers

    @property
    def excess(self) -> int:
        """How many more servers there are than fit, with warm ones and those to be."""
        usage = self.usage()
        return usage.total + usage.warm - self.capacity

    def usage(self) -> Usage:
        """What counts towards the quota now."""
        warm = {name for name in self._servers if self.is_waiting_warm(name)}
        servers = {name: server for name, server in self._servers.items() if name not in warm}
        of_hub = [
            server.option("repository") or server.option("repo_url")
            for name, server in servers.items()
            if name not in self._places
        ]
        held = [place for place in self._places.values() if not place.is_warm]
        running = sum(_is_running(server) for server in servers.values())
        by_repository = Counter(of_hub)
        by_repository.update(place.repository for place in held)
        return Usage(
            running=running,
            pending=len(of_hub) + len(held) - running,
            by_repository=by_repository,
            warm=len(warm | {place.server for place in self._places.values() if place.is_warm}),
        )

    def images_in_use(self) -> frozenset[str]:
        """References of images that a session or a launch uses."""
        of_hub = {server.option("image") for server in self._servers.values()}
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
        self._users, self._read = tuple(users), reading
        self._servers = {}
        for user in users:
            self._servers.update(user.active_servers)
        waiting = (user.name for user in users if user.is_waiting_warm)
        self._listed_warm = frozenset(map(ServerName, waiting))
        # A server that became ready while the list was read may be missing from it.
        for place in list(self._places.values()):
            is_listed = place.ready_at_reading is not None and place.ready_at_reading < reading
            if is_listed and not place.is_warm:
                self.release(place)
        self._tell_change()

    def _tell_change(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _is_running(server: HubServer) -> bool:
    return server.ready and server.pending is None
