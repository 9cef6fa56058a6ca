"""What is kept of launches, so that any replica can go on with any of them.

Each launch has one owner, the replica that runs it. The owner says when something
changed (`changed`), and never waits for it to be written; the implementation reads the
launch itself when it writes. Others `fetch` it, and `take` it when its owner is gone: of
several that try, one gets it, and whoever lost a launch that way is told (`on_lost`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from binder_federation.federation.event_log import EventLog, LogEntry
from binder_federation.federation.launch_state import LaunchState
from binder_federation.runtime.errors import ServiceError

ENDED_LIFETIME_SECONDS = 1200.0
"""An ended launch can be read for so long; one that runs, for an hour longer than that."""
FOLLOWED_SECONDS = 3.0
"""Somebody who asked for a launch so recently is still following it."""


class RecordsUnavailable(ServiceError):
    """What is kept of launches cannot be reached now."""

    code = "records_unavailable"
    status = 503
    retryable = True


class Recorded(Protocol):
    """A launch, as far as it is recorded."""

    @property
    def id(self) -> str:
        """Its launch id."""

    @property
    def state(self) -> LaunchState:
        """All but its events. Another object when it changed."""

    @property
    def log(self) -> EventLog:
        """Its events."""


@dataclass(frozen=True, slots=True)
class KeptLaunch:
    """What others know of a launch."""

    owner: str
    """The replica that runs it; empty when it was released and is for whoever takes it."""
    state: LaunchState
    entries: tuple[LogEntry, ...]
    """Those asked for, in order; the oldest may be gone."""


class LaunchRecords(Protocol):
    """The launches of all replicas."""

    def changed(self, launch: Recorded, *, is_urgent: bool = False) -> None:
        """This replica's launch has news. Never waits, never raises."""

    def forget(self, launch_id: str) -> None:
        """This replica does not run the launch any more; what was written stays its time."""

    def on_lost(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the id of a launch that another replica has taken from us."""

    async def fetch(
        self, launch_id: str, *, after: int = 0, is_following: bool = False
    ) -> KeptLaunch | None:
        """The launch, with its events after the number `after`; None when nobody knows it.

        `is_following` lets its owner know that there is somebody who watches it. Raises
        `RecordsUnavailable`.
        """

    async def take(self, launch_id: str, *, from_owner: str) -> bool:
        """Make the launch this replica's, if it still is `from_owner`'s or nobody knows it.

        Raises `RecordsUnavailable`.
        """

    async def release(self, launches: Iterable[Recorded]) -> None:
        """Write these launches as they are and leave them to whoever takes them.

        Waits a second at most; raises nothing.
        """

    async def is_followed(self, launch_id: str) -> bool:
        """Whether another replica follows the launch for somebody. False when it cannot be told."""

    async def is_alive(self, owner: str) -> bool:
        """Whether that replica lives. True when it cannot be told."""
