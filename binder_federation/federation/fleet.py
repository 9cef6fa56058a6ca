"""The fleet as the core sees it: settings, health and reports, put together whole.

Nothing decides here; it only gathers what the decision is made from.
"""

from binder_federation.binder.resolver import ResolvedSpec
from binder_federation.config.federation import EstimateSettings, HealthSettings
from binder_federation.federation.core.snapshot import (
    Estimates,
    Fleet,
    ImageView,
    Load,
    MemberView,
)
from binder_federation.federation.locality.contract import LocalityStore
from binder_federation.federation.reports import Reports
from binder_federation.federation.roster import Member, Roster
from binder_federation.health.monitor import HealthMonitor
from binder_federation.health.state import effective_weight


class FleetView:
    """Makes snapshots."""

    def __init__(
        self,
        *,
        roster: Roster,
        monitor: HealthMonitor,
        reports: Reports,
        store: LocalityStore,
        health_settings: HealthSettings,
        estimates: EstimateSettings,
    ) -> None:
        self._roster = roster
        self._monitor = monitor
        self._reports = reports
        self._store = store
        self._health_settings = health_settings
        self._estimates = estimates

    def snapshot(self, *, now: float) -> Fleet:
        """All members as they are known at `now`."""
        return Fleet(members=tuple(self._member(member, now) for member in self._roster))

    async def image(self, resolved: ResolvedSpec, *, now: float) -> ImageView:
        """What is known of the image that a launch needs."""
        affinity_key = resolved.spec.affinity_key
        facts = await self._store.facts(resolved.image_key, affinity_key, now=now)
        sizes = [held.size_bytes for held in facts.holders.values() if held.size_bytes]
        return ImageView(
            key=resolved.image_key,
            affinity_key=affinity_key,
            size_bytes=max(sizes, default=self._estimates.image_bytes),
            tiers={name: held.tier for name, held in facts.holders.items()},
            building_since=facts.building_since,
            built_repository_recently=facts.built_repository_recently,
        )

    def effective_weight(self, member: Member, *, now: float) -> float:
        """The member's weight after slow start."""
        return effective_weight(
            member.weight,
            self._monitor.health(member.name),
            now=now,
            settings=self._health_settings,
        )

    def _member(self, member: Member, now: float) -> MemberView:
        health = self._monitor.health(member.name)
        load = self._reports.load(member.name, now=now)
        incompatibility = self._reports.incompatibility(member.name)
        return MemberView(
            name=member.name,
            state=health.state,
            weight=member.weight,
            effective_weight=self.effective_weight(member, now=now),
            load=None
            if load is None
            else Load(
                capacity=load.capacity,
                running=load.running,
                pending=load.pending,
                building=load.building,
                build_slots=load.build_slots,
            ),
            is_compatible=not incompatibility,
            incompatibility=incompatibility,
            is_draining=member.is_draining,
            last_well_at=health.last_well_at,
            estimates=self._member_estimates(member.name),
        )

    def _member_estimates(self, name: str) -> Estimates:
        ours, theirs = self._estimates, self._reports.estimates(name)
        return Estimates(
            spawn_seconds=theirs.spawn_seconds or ours.spawn_seconds,
            build_seconds=theirs.build_seconds or ours.build_seconds,
            push_seconds=ours.push_seconds,
            pull_base_seconds=ours.pull_base_seconds,
            bandwidth_bytes_per_second=ours.bandwidth_bytes_per_second,
        )
