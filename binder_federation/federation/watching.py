"""Watches the members of the roster: those who come are probed, those who leave forgotten.

The health monitor and the fleet's snapshot know members by name alone; this keeps both at
what the roster says. What reports said of a member that left fades by itself.
"""

from binder_federation.config.federation import HealthSettings
from binder_federation.federation.core.member import Member
from binder_federation.federation.fleet import FleetView
from binder_federation.federation.roster import Roster, RosterChange
from binder_federation.health.monitor import HealthMonitor


class MemberWatch:
    """Connects a roster with those who keep something for each member."""

    def __init__(
        self,
        *,
        roster: Roster,
        monitor: HealthMonitor,
        fleet: FleetView,
        settings: HealthSettings,
    ) -> None:
        self._roster = roster
        self._monitor = monitor
        self._fleet = fleet
        self._settings = settings

    def start(self) -> None:
        """Watch everybody from now on. Called once, in the event loop."""
        for member in self._roster:
            self._watch(member)
        self._roster.on_change(self._follow)

    def _follow(self, change: RosterChange) -> None:
        for member in change.removed:
            self._monitor.forget(member.name)
            self._fleet.changed(member.name)
        for member in (*change.added, *change.changed):
            self._watch(member)
            self._fleet.changed(member.name)

    def _watch(self, member: Member) -> None:
        seconds = self._settings.binderhub_answer_seconds if member.is_binderhub else None
        self._monitor.watch(
            member.name,
            member.url,
            is_draining=member.is_draining,
            answer_seconds=seconds,
            admitted_at=member.admitted_at,
        )
