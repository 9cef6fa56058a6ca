"""One warm server, from its start until somebody has it or it is removed.

    STARTING → READY → TAKEN → (a session, no longer ours)

From each of these it may be removed; then the pool forgets it at once, and its place is
free when the hub has let it go.
"""

import asyncio
from dataclasses import dataclass
from enum import StrEnum

from binder_federation.binder.spec import ImageKey
from binder_federation.cluster_agent.core.warm_plan import Waiting
from binder_federation.cluster_agent.launcher import RunningServer
from binder_federation.cluster_agent.sessions import Place


class WarmState(StrEnum):
    """Where a warm server is in its life; a metric's label."""

    STARTING = "starting"
    READY = "ready"
    TAKEN = "taken"
    """A visitor is about to get it: it is nobody else's any more."""


@dataclass(slots=True, eq=False)
class WarmServer:
    """One of the pool's servers. Its token is in `running`, in this process alone."""

    key: ImageKey
    place: Place
    state: WarmState = WarmState.STARTING
    running: RunningServer | None = None
    ready_at: float = 0.0
    start: asyncio.Task[None] | None = None
    has_begun: bool = False
    """The launcher has its place, and gives it back if the start fails."""

    @property
    def name(self) -> str:
        """The hub user's."""
        return self.place.server.user

    def age_seconds(self, now: float) -> float:
        """How long it has been waiting for a visitor."""
        return 0.0 if self.running is None else now - self.ready_at

    def become_ready(self, running: RunningServer, *, now: float) -> None:
        """It answers: visitors may have it."""
        self.state, self.running, self.ready_at = WarmState.READY, running, now

    def as_waiting(self, now: float) -> Waiting:
        """As the plan sees it."""
        return Waiting(
            name=self.name,
            image=self.key,
            age_seconds=self.age_seconds(now),
            is_ready=self.state is WarmState.READY,
        )
