"""Takes what this replica knows now into a report. It waits for nothing."""

from collections.abc import Callable

from binder_federation.config.federation import LaunchMode
from binder_federation.federation.fleet import FleetView
from binder_federation.federation.history.episodes import KEPT_SECONDS, Condition, Episode
from binder_federation.federation.history.history import History
from binder_federation.federation.history.launch_counts import Sums, add_up
from binder_federation.federation.history.spans import DAY, HOUR, QUARTER
from binder_federation.federation.reports import Reports
from binder_federation.federation.roster import Member, Roster
from binder_federation.federation.status.days import days_of
from binder_federation.federation.status.report import (
    Launched,
    MemberStatus,
    Sessions,
    StatusReport,
)
from binder_federation.health.monitor import HealthMonitor
from binder_federation.health.state import Health, MemberState

REDIS_AWAY = (
    "The replica that made this page cannot reach Redis just now. The members' states are its own"
    " view; launches and incidents that other replicas saw since then may be missing."
)
DISTRUSTS_ITSELF = (
    "Most members fail at once for the replica that made this page, so its own network may be the"
    " reason."
)
MOST_EPISODES = 500


class Gathering:
    """Makes reports."""

    def __init__(
        self,
        *,
        roster: Roster,
        monitor: HealthMonitor,
        reports: Reports,
        fleet: FleetView,
        history: History,
        mode: LaunchMode,
        is_redis_away: Callable[[], bool],
    ) -> None:
        self._roster = roster
        self._monitor = monitor
        self._reports = reports
        self._fleet = fleet
        self._history = history
        self._tells_readiness = mode is not LaunchMode.REDIRECT
        self._is_redis_away = is_redis_away

    def report(self, *, now: float) -> StatusReport:
        """The state of now."""
        sums = [self._history.sums(span, now=now) for span in (HOUR, DAY, QUARTER)]
        launched = [add_up(each.values()) for each in sums]
        members = [
            self._member(
                member, Launched(*(each.get(member.name, Sums()) for each in sums)), now=now
            )
            for member in self._roster
        ]
        return StatusReport(
            at=now,
            members=members,
            episodes=self._episodes(now),
            launched=Launched(*launched),
            tells_readiness=self._tells_readiness,
            notes=self._notes(),
        )

    def _member(self, member: Member, launched: Launched, *, now: float) -> MemberStatus:
        health = self._monitor.health(member.name)
        condition = self._history.conditions.of(member, now=now)
        state = _state(member, condition)
        load = self._reports.load(member.name, now=now)
        record = self._history.records.get(member.name)
        return MemberStatus(
            name=member.name,
            kind=member.kind.value,
            state=state,
            reason=condition.drain_reason if condition.is_draining else condition.reason,
            since=self._since(member.name, state, health),
            weight=member.weight,
            effective_weight=self._fleet.effective_weight(member, now=now),
            sessions=Sessions(round(load.running), round(load.pending), load.capacity)
            if load
            else None,
            launched=launched,
            drain_until=condition.drain_until,
            days=days_of(record, now=now),
        )

    def _since(self, name: str, state: str, health: Health) -> float:
        """When the state began. The history is older than this replica, and the same for all."""
        record = self._history.records.get(name)
        episodes = record.episodes if record else ()
        kind = {"draining": "maintenance", "down": "incident", "ejected": "incident"}.get(state)
        for episode in episodes:
            if episode.is_open and episode.kind.value == kind:
                return episode.began_at
        if state != MemberState.UP or record is None or not record.was_well:
            return health.since
        ends = [episode.ended_at for episode in episodes if episode.ended_at is not None]
        return min(health.since, max(ends, default=record.tracked_since))

    def _episodes(self, now: float) -> list[Episode]:
        found = [
            episode
            for record in self._history.records.values()
            for episode in record.episodes
            if episode.is_open or now - episode.updated_at <= KEPT_SECONDS
        ]
        found.sort(key=lambda each: (each.is_open, each.began_at), reverse=True)
        return found[:MOST_EPISODES]

    def _notes(self) -> list[str]:
        notes = [REDIS_AWAY] if self._is_redis_away() else []
        if self._monitor.suspicion().is_suspected:
            notes.append(DISTRUSTS_ITSELF)
        return notes


def _state(member: Member, condition: Condition) -> str:
    """What counts for launches now, in the words of `/api/members`."""
    if member.is_joining:
        return "joining"
    if condition.is_draining:
        return MemberState.DRAINING.value
    is_ejected = condition.is_ejected and condition.probed.is_well
    return "ejected" if is_ejected else condition.probed.value
