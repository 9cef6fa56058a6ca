"""The fleet as the core sees it: settings, health and reports, put together whole.

Nothing decides here; it only gathers what the decision is made from. A member is
looked at anew when something about it changed, everybody once in a second: slow
start and the age of reports move by themselves.
"""

from binder_federation.binder.resolver import ResolvedSpec
from binder_federation.config.federation import EstimateSettings, HealthSettings
from binder_federation.federation.core.snapshot import Fleet, ImageView, MemberView
from binder_federation.federation.learned import Learned
from binder_federation.federation.locality.contract import LocalityStore
from binder_federation.federation.reports import Reports
from binder_federation.federation.roster import Member, Roster
from binder_federation.health.monitor import HealthMonitor
from binder_federation.health.state import effective_weight

REFRESH_SECONDS = 1.0


class FleetView:
    """Makes snapshots."""

    def __init__(
        self,
        *,
        roster: Roster,
        monitor: HealthMonitor,
        reports: Reports,
        learned: Learned,
        store: LocalityStore,
        health_settings: HealthSettings,
        estimates: EstimateSettings,
    ) -> None:
        self._roster = roster
        self._monitor = monitor
        self._reports = reports
        self._learned = learned
        self._store = store
        self._health_settings = health_settings
        self._estimates = estimates
        self._fleet = Fleet(())
        self._made_at: float | None = None
        self._changed: set[str] = set()
        self._load_changed: set[str] = set()

    def changed(self, member: str) -> None:
        """Something about `member` is not as it was: its health, a report."""
        self._changed.add(member)

    def load_changed(self, member: str) -> None:
        """A launch was sent to `member`: only its load is not as it was."""
        self._load_changed.add(member)

    def snapshot(self, *, now: float) -> Fleet:
        """All members as they are known at `now`."""
        made_at = self._made_at
        if made_at is None or not 0.0 <= now - made_at < REFRESH_SECONDS:
            return self.refresh(now=now)
        if not self._changed <= self._fleet.by_name.keys():
            return self.refresh(now=now)
        if self._changed or self._load_changed:
            self._fleet = self._fleet.with_members(self._take_changes(now))
        return self._fleet

    def refresh(self, *, now: float) -> Fleet:
        """The same, with every member looked at anew.

        The service calls this regularly, so that no visitor's decision waits for it.
        """
        self._changed.clear()
        self._load_changed.clear()
        self._reports.forget_old(now=now)
        self._fleet = Fleet(members=tuple(self._member(member, now) for member in self._roster))
        self._made_at = now
        return self._fleet

    def _take_changes(self, now: float) -> list[MemberView]:
        """The members that changed, as they are now; nothing counts as changed after that."""
        by_name = self._fleet.by_name
        views = [
            self._member(member, now)
            for name in self._changed
            if (member := self._roster.get(name)) is not None
        ]
        views += [
            by_name[name].with_load(self._reports.load(name, now=now))
            for name in self._load_changed - self._changed
            if name in by_name
        ]
        self._changed.clear()
        self._load_changed.clear()
        return views

    async def image(self, resolved: ResolvedSpec, *, now: float) -> ImageView:
        """What is known of the image that a launch needs."""
        affinity_key = resolved.spec.affinity_key
        image_key = resolved.image_key
        facts = await self._store.facts(image_key, affinity_key, now=now)
        size_bytes, tiers = 0, {}
        for name, held in facts.holders.items():
            tiers[name] = held.tier
            size_bytes = max(size_bytes, held.size_bytes)
        return ImageView(
            key=image_key,
            affinity_key=affinity_key,
            size_bytes=size_bytes or self._estimates.image_bytes,
            tiers=tiers,
            warm=self._reports.warm(image_key),
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
        incompatibility = self._reports.incompatibility(member.name)
        return MemberView(
            name=member.name,
            state=health.state,
            weight=member.weight,
            effective_weight=self.effective_weight(member, now=now),
            load=self._reports.load(member.name, now=now),
            is_compatible=not incompatibility,
            incompatibility=incompatibility,
            is_draining=member.is_draining or self._reports.is_draining(member.name),
            is_joining=member.is_joining,
            last_well_at=health.last_well_at,
            is_ejected=health.is_ejected,
            success_share=self._monitor.success_share(member.name, now=now),
            estimates=self._learned.estimates(member.name, self._reports.estimates(member.name)),
        )
