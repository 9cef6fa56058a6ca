"""Which members the federation holds well: `health.state`, driven by simulated probes.

Probes are simulated for members that are lost or come back; the others pass every time.
All replicas see the same, as they probe alike.
"""

from binder_federation.config.federation import HealthSettings
from binder_federation.federation.simulation.agenda import Agenda
from binder_federation.federation.simulation.member import SimMember
from binder_federation.health.state import (
    Health,
    MemberState,
    effective_weight,
    next_probe_seconds,
    observe_probe,
)


class HealthBoard:
    """The members' health, by index."""

    def __init__(
        self, members: list[SimMember], *, agenda: Agenda, settings: HealthSettings
    ) -> None:
        self._members = members
        self._agenda = agenda
        self.settings = settings
        well = Health(probed=MemberState.UP, last_well_at=0.0)
        self.health = [well if member.is_up else Health() for member in members]
        self.version = 0
        """Grows with every change."""
        self._watched: set[int] = set()

    @property
    def is_watching(self) -> bool:
        """Whether some member is not as well as the others."""
        return bool(self._watched)

    def is_well(self, member: int) -> bool:
        """Whether a launch may go there, as far as its health goes."""
        return self._members[member].is_present and self.health[member].state.is_well

    def weight(self, member: int, now: float) -> float:
        """Its weight after slow start; the configured one is 1 for everybody."""
        return effective_weight(1.0, self.health[member], now=now, settings=self.settings)

    def watch(self, member: int, now: float) -> None:
        """Probe the member from now on, until it is as well as the others again."""
        if member not in self._watched:
            self._watched.add(member)
            # The next usual probe comes after half of its interval in the mean.
            first_at = now + self.settings.probe_every_seconds / 2
            self._agenda.add(first_at, self._probe_regularly, member)

    def probe_soon(self, member: int, now: float) -> None:
        """A launch broke off there."""
        self._observe(member, now)

    def _probe_regularly(self, member: int, *, now: float) -> None:
        self._observe(member, now)
        health = self.health[member]
        if health.state is MemberState.UP and self._members[member].is_up:
            self._watched.discard(member)
        else:
            after = next_probe_seconds(health, settings=self.settings)
            self._agenda.add(now + after, self._probe_regularly, member)

    def _observe(self, member: int, now: float) -> None:
        passed = self._members[member].is_up
        reason = "ok" if passed else "timeout"
        before = self.health[member]
        self.health[member] = observe_probe(before, passed, reason, now=now, settings=self.settings)
        self.version += 1
