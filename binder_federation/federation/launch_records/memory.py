"""Launch records of one process. A replica that is alone shares them with nobody.

Nothing is copied: the launches themselves are remembered while their replica keeps
them. Several replicas in one process may share a board.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from binder_federation.federation.launch_records.contract import (
    FOLLOWED_SECONDS,
    KeptLaunch,
    Recorded,
)

MOST_RELEASED = 1000


@dataclass(slots=True)
class _Posted:
    owner: str
    launch: Recorded | None = None
    followed_at: float = float("-inf")


@dataclass(slots=True)
class Board:
    """What the replicas of one process share."""

    posted: dict[str, _Posted] = field(default_factory=dict)
    released: deque[str] = field(default_factory=deque)
    """Launches that were nobody's, oldest first."""
    gone: set[str] = field(default_factory=set)
    """Replicas that are not alive."""


class MemoryLaunchRecords:
    """The records of the replica `replica_id`."""

    def __init__(
        self,
        *,
        replica_id: str = "here",
        board: Board | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._id = replica_id
        self._board = board or Board()
        self._monotonic = monotonic
        self._listeners: list[Callable[[str], None]] = []

    def changed(
        self,
        launch: Recorded,
        *,
        is_urgent: bool = False,  # noqa: ARG002 - everything is known at once
    ) -> None:
        """Remember the launch, unless it is another replica's by now."""
        posted = self._board.posted.setdefault(launch.id, _Posted(self._id))
        if posted.owner == self._id:
            posted.launch = launch
            return
        for listener in self._listeners:
            listener(launch.id)

    def forget(self, launch_id: str) -> None:
        """Forget it, if it is ours."""
        posted = self._board.posted.get(launch_id)
        if posted is not None and posted.owner == self._id:
            del self._board.posted[launch_id]

    def on_lost(self, listener: Callable[[str], None]) -> None:
        """Tell `listener` of launches that another replica took."""
        self._listeners.append(listener)

    async def fetch(
        self, launch_id: str, *, after: int = 0, is_following: bool = False
    ) -> KeptLaunch | None:
        """The launch as it is now."""
        posted = self._board.posted.get(launch_id)
        if posted is None or posted.launch is None:
            return None
        if is_following:
            posted.followed_at = self._monotonic()
        return KeptLaunch(posted.owner, posted.launch.state, tuple(posted.launch.log.after(after)))

    async def take(self, launch_id: str, *, from_owner: str) -> bool:
        """No await: of several that try, one finds the owner that it expects."""
        posted = self._board.posted.setdefault(launch_id, _Posted(from_owner))
        if posted.owner not in (from_owner, self._id):
            return False
        posted.owner = self._id
        return True

    async def release(self, launches: Iterable[Recorded]) -> None:
        """Leave them to whoever takes them."""
        for launch in launches:
            self.changed(launch)
            posted = self._board.posted[launch.id]
            if posted.owner == self._id:
                posted.owner = ""
                self._board.released.append(launch.id)
        while len(self._board.released) > MOST_RELEASED:
            oldest = self._board.released.popleft()
            if oldest in self._board.posted and not self._board.posted[oldest].owner:
                del self._board.posted[oldest]

    async def is_followed(self, launch_id: str) -> bool:
        """Whether somebody asked for it a moment ago."""
        posted = self._board.posted.get(launch_id)
        return posted is not None and (self._monotonic() - posted.followed_at < FOLLOWED_SECONDS)

    async def is_alive(self, owner: str) -> bool:
        """All are, but those that the board calls gone."""
        return owner not in self._board.gone
