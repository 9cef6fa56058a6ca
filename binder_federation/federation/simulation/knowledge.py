"""What the federation's replicas know of loads and health, for any policy that asks.

Decisions of other replicas are heard of after a moment, and never without Redis.
"""

from collections.abc import Sequence

from binder_federation.federation.simulation.health_board import HealthBoard
from binder_federation.federation.simulation.load_view import LoadView
from binder_federation.federation.simulation.member import SimMember
from binder_federation.federation.simulation.report_clock import ReportClock
from binder_federation.federation.simulation.settings import FleetSettings


class Knowledge:
    """Every replica's view of the members."""

    def __init__(
        self,
        members: Sequence[SimMember],
        *,
        board: HealthBoard,
        settings: FleetSettings,
        session_seconds: float,
        seed: int,
    ) -> None:
        self.members = members
        self.board = board
        self.settings = settings
        self.session_seconds = session_seconds
        self.clock = ReportClock(settings, seed=seed)
        self.views = [
            LoadView(
                members,
                clock=self.clock,
                settings=settings,
                session_seconds=session_seconds,
                replica=replica,
            )
            for replica in range(settings.replicas)
        ]

    def note_sent(self, member: int, replica: int, now: float) -> None:
        """This replica sends a launch there."""
        self.views[replica].note_sent(member, now)
        if not self.settings.has_redis:
            return
        heard_at = now + self.settings.news_delay_seconds
        for other, view in enumerate(self.views):
            if other != replica:
                view.hear_sent(member, now, heard_at=heard_at)

    def note_refused(self, member: int, replica: int, *, is_full: bool) -> None:
        """A launch that this replica sent there was not taken."""
        view = self.views[replica]
        view.note_gone(member)
        if is_full:
            view.note_full(member)

    def open_members(self, replica: int, now: float, *, without: frozenset[str]) -> list[int]:
        """Members that are well and not full, as far as the replica knows."""
        view = self.views[replica]
        view.refresh(now)
        return [
            index
            for index, load in enumerate(view.loads)
            if self.board.is_well(index)
            and (load is None or load.used < load.capacity)
            and self.members[index].name not in without
        ]

    def used(self, member: int, replica: int) -> float:
        """The used share of a member, as the replica knows it; 0.5 when it knows nothing."""
        load = self.views[replica].loads[member]
        return 0.5 if load is None else load.utilisation
