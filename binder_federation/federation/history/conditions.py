"""What each member is now, for its history: its probes, an ejection, and who drains it."""

from collections.abc import Callable

from binder_federation.federation.history.episodes import Condition
from binder_federation.federation.reports import Reports
from binder_federation.federation.roster import Member, Roster
from binder_federation.health.monitor import HealthMonitor
from binder_federation.health.state import Health, MemberState

LAUNCHES_FAILED = "launches_failed"

DrainWord = Callable[[str], tuple[str, float | None]]
"""Why operators drain that member, and until when; ("", None) where nobody said."""


class Conditions:
    """Looks at the members. `drain_words` tells why an operator drains one, and until when."""

    def __init__(
        self,
        *,
        roster: Roster,
        monitor: HealthMonitor,
        reports: Reports,
        drain_word: DrainWord = lambda _member: ("", None),
    ) -> None:
        self._drain_word = drain_word
        self._roster = roster
        self._monitor = monitor
        self._reports = reports

    def look(self, *, now: float) -> dict[str, Condition]:
        """Every member's condition."""
        return {member.name: self.of(member, now=now) for member in self._roster}

    def of(self, member: Member, *, now: float) -> Condition:
        """One member's condition."""
        health = self._monitor.health(member.name)
        is_drained_by_us = member.is_draining or health.is_draining
        reason, until = self._drain_word(member.name) if is_drained_by_us else ("", None)
        return Condition(
            probed=health.probed,
            since=_failing_since(health, now=now),
            reason=_reason(health),
            is_ejected=health.is_ejected,
            is_draining=is_drained_by_us or self._reports.is_draining(member.name),
            drain_reason=reason,
            drain_until=until,
        )


def _failing_since(health: Health, *, now: float) -> float:
    if health.probed is MemberState.DOWN:
        return health.probed_since if health.missing_since is None else health.missing_since
    return now if health.is_ejected else health.since


def _reason(health: Health) -> str:
    is_failing_launches = health.is_ejected and health.probed.is_well
    return LAUNCHES_FAILED if is_failing_launches else health.reason
