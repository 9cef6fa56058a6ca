"""When most members fail at once, it may be us: our network, our clock, our deploy.

Three things raise the suspicion: most of the members that were well miss their
probes from about the same time on; most of the members that get launches fail them
in a row; or the other replicas see well what fails here. While it lasts nobody is
ejected, and members that fail together are held at SUSPECT for longer. The other
replicas' votes end it where they fail to reach the same members, and confirm it
where they reach most of what we do not.

The confirming rule needs more than half of the members, seen well by all others who
have a view of them. Two replicas cannot both be in that place: of any two, one at
least goes on calling itself well.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from binder_federation.config.federation import HealthSettings
from binder_federation.health.outliers import OutlierRecord
from binder_federation.health.state import WELL_STATES, Health, MemberState
from binder_federation.health.votes import Tally

AT_ONCE_INTERVALS = 1.5
"""First misses within so many probe intervals are one event: probes are spread over
one interval, with jitter."""
FAILING_IN_A_ROW = 2
FAILING_SECONDS = 60.0
LEAST_FAILING = 2
"""Of one member alone nobody can say whose fault it is; then it is the member's."""


class SuspicionLevel(StrEnum):
    """How sure it is that the fault is ours; a metric's label."""

    NONE = "none"
    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"
    """Every other replica sees well most of what fails here."""


class SuspicionCause(StrEnum):
    """What made us suspect ourselves."""

    PROBES = "probes"
    LAUNCHES = "launches"
    VOTES = "votes"


@dataclass(frozen=True, slots=True)
class SelfSuspicion:
    """Whether this replica takes itself for the one that fails, and for which members."""

    level: SuspicionLevel = SuspicionLevel.NONE
    cause: SuspicionCause | None = None
    members: frozenset[str] = frozenset()
    since: float = 0.0

    @property
    def is_suspected(self) -> bool:
        """Whether there is any suspicion."""
        return self.level is not SuspicionLevel.NONE

    @property
    def is_confirmed(self) -> bool:
        """Whether the other replicas confirm it."""
        return self.level is SuspicionLevel.CONFIRMED

    def patience(self, member: str, *, settings: HealthSettings) -> float:
        """How many times the usual misses it takes until `member` is DOWN."""
        if member not in self.members or self.cause is SuspicionCause.LAUNCHES:
            return 1.0
        return math.inf if self.is_confirmed else settings.self_suspicion_patience


def suspect_self(
    before: SelfSuspicion,
    *,
    missing: frozenset[str],
    failing: frozenset[str],
    tally: Tally,
    members: int,
    now: float,
) -> SelfSuspicion:
    """The suspicion after a look at all `members`.

    `missing` and `failing` are the answers of `find_missing_together` and
    `find_failing_together`.
    """
    unexplained = missing - tally.seen_failing
    if 2 * len(tally.seen_well) > members:
        level, cause, names = _CONFIRMED, SuspicionCause.VOTES, tally.seen_well | unexplained
    elif 2 * len(unexplained) > len(missing):
        level, cause, names = _SUSPECTED, SuspicionCause.PROBES, unexplained
    elif failing:
        level, cause, names = _SUSPECTED, SuspicionCause.LAUNCHES, failing
    else:
        return SelfSuspicion() if before.is_suspected else before
    since = before.since if before.is_suspected else now
    return SelfSuspicion(level, cause, names, since)


def find_missing_together(
    healths: Mapping[str, Health], *, settings: HealthSettings
) -> frozenset[str]:
    """Members that began to miss probes at about the same time, if they were most of the well.

    None once all of them are DOWN: then it is believed.
    """
    suspect_since = [
        health.missing_since
        for health in healths.values()
        if health.probed is MemberState.SUSPECT and health.missing_since is not None
    ]
    if not suspect_since:
        return frozenset()
    width = _at_once_seconds(settings)
    oldest = min(suspect_since) - width
    together = _largest_cluster(
        sorted(
            (health.missing_since, name)
            for name, health in healths.items()
            if not health.probed.is_well
            and health.missing_since is not None
            and health.missing_since >= oldest
        ),
        width,
    )
    well = sum(health.probed in WELL_STATES for health in healths.values())
    is_most = len(together) >= LEAST_FAILING and len(together) > well
    return together if is_most else frozenset()


def find_failing_together(
    records: Mapping[str, OutlierRecord], *, now: float, settings: HealthSettings
) -> frozenset[str]:
    """Members whose launches fail in a row, if most that had launches lately are such."""
    heard_after = now - settings.success_memory_seconds
    succeeding = 0
    failing = []
    for name, record in records.items():
        if record.is_ejected(now) or _is_failing(record, now):
            failing.append(name)
        elif record.counts.at > heard_after and record.counts.launches > 0:
            succeeding += 1
    is_most = len(failing) >= LEAST_FAILING and len(failing) > succeeding
    return frozenset(failing) if is_most else frozenset()


def _is_failing(record: OutlierRecord, now: float) -> bool:
    if record.failures_in_a_row < FAILING_IN_A_ROW or record.last_failure_at is None:
        return False
    return now - record.last_failure_at <= FAILING_SECONDS


def _at_once_seconds(settings: HealthSettings) -> float:
    return AT_ONCE_INTERVALS * settings.probe_every_seconds + settings.probe_timeout_seconds


def _largest_cluster(since: Sequence[tuple[float, str]], width: float) -> frozenset[str]:
    """Of times in order, the names of most of them that lie within `width`."""
    first = best_first = best_end = 0
    for end, (at, _) in enumerate(since, start=1):
        while at - since[first][0] > width:
            first += 1
        if end - first > best_end - best_first:
            best_first, best_end = first, end
    return frozenset(name for _, name in since[best_first:best_end])


_SUSPECTED, _CONFIRMED = SuspicionLevel.SUSPECTED, SuspicionLevel.CONFIRMED
