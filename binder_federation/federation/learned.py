"""How long members take, learned from the launches that this replica relayed.

Per member and kind of work; `core/estimators.py` has the arithmetic. What a member
reports of its own experience is taken in beside what was seen of it.
"""

from collections import defaultdict
from enum import StrEnum

from binder_federation.binder.messages import EstimateRecord
from binder_federation.config.federation import EstimateSettings
from binder_federation.federation.core.estimators import (
    LogMean,
    observe_seconds,
    shrunk_seconds,
    with_report,
)
from binder_federation.federation.core.snapshot import Estimates


class Work(StrEnum):
    """What takes time at a member."""

    SPAWN = "spawn"
    BUILD = "build"
    PUSH = "push"
    PULL = "pull"
    """As a multiple of what the settings say of an image of that size."""


class Learned:
    """Everybody's times."""

    def __init__(self, *, settings: EstimateSettings) -> None:
        self._settings = settings
        self._fleet: defaultdict[Work, LogMean] = defaultdict(LogMean)
        self._members: defaultdict[tuple[str, Work], LogMean] = defaultdict(LogMean)

    def observe(self, member: str, work: Work, seconds: float) -> None:
        """`member` took so long."""
        self._fleet[work] = observe_seconds(self._fleet[work], seconds)
        self._members[member, work] = observe_seconds(self._members[member, work], seconds)

    def estimates(self, member: str, reported: EstimateRecord) -> Estimates:
        """What to expect of `member`, which reports `reported` of itself."""
        ours = self._settings
        pull_factor = self._seconds(member, Work.PULL, 1.0, None)
        return Estimates(
            spawn_seconds=self._seconds(
                member, Work.SPAWN, ours.spawn_seconds, reported.spawn_seconds
            ),
            build_seconds=self._seconds(
                member, Work.BUILD, ours.build_seconds, reported.build_seconds
            ),
            push_seconds=self._seconds(member, Work.PUSH, ours.push_seconds, None),
            pull_base_seconds=ours.pull_base_seconds * pull_factor,
            bandwidth_bytes_per_second=ours.bandwidth_bytes_per_second / pull_factor,
        )

    def _seconds(
        self, member: str, work: Work, prior_seconds: float, reported_seconds: float | None
    ) -> float:
        own = self._members.get((member, work), LogMean())
        if reported_seconds is not None:
            own = with_report(own, reported_seconds)
        fleet = self._fleet.get(work, LogMean())
        return shrunk_seconds(own, fleet, prior_seconds=prior_seconds)
