"""What the federation learns from the launches that pass through it.

A decision to build becomes a lease before anybody else decides; what a member's
stream says becomes facts; a broken stream asks for a probe at once.
"""

from binder_federation.binder.events import Event, Phase
from binder_federation.binder.messages import ImageRecord, Tier
from binder_federation.binder.resolver import ResolvedSpec
from binder_federation.binder.spec import ImageKey
from binder_federation.federation.core.choose import Decision
from binder_federation.federation.locality.contract import LocalityStore
from binder_federation.federation.outcomes import FailedAttempt
from binder_federation.federation.reports import Reports
from binder_federation.health.monitor import HealthMonitor


class Lessons:
    """Turns what happens to launches into facts, leases and probes."""

    def __init__(self, *, store: LocalityStore, reports: Reports, monitor: HealthMonitor) -> None:
        self._store = store
        self._reports = reports
        self._monitor = monitor

    async def decided(self, key: ImageKey, decision: Decision, *, now: float) -> None:
        """A launch goes to the decision's member; if that must build, it holds the lease."""
        assert decision.member is not None and decision.chosen is not None  # noqa: S101, PT018
        self._reports.note_sent(decision.member, now=now)
        if not decision.chosen.tier.needs_build:
            return
        lease = await self._store.take_lease(key, decision.member, now=now)
        if lease.member != decision.member:
            # The decision knew of that lease: its holder may take no launch, so it is void.
            await self._store.release_lease(key, lease.member)
            await self._store.take_lease(key, decision.member, now=now)

    async def saw(self, resolved: ResolvedSpec, member: str, event: Event, *, now: float) -> None:
        """A member's stream said something."""
        if event.phase not in (Phase.BUILT, Phase.READY):
            return
        record = ImageRecord(
            key=resolved.image_key, repository=resolved.spec.affinity_key, tier=Tier.NODE
        )
        await self._store.note_image(member, record, now=now)
        await self._store.release_lease(resolved.image_key, member)

    async def attempt_ended(
        self, key: ImageKey, member: str, failure: FailedAttempt | None
    ) -> None:
        """An attempt is over: whoever failed no longer builds, and one that broke is probed."""
        if failure is None:
            return
        await self._store.release_lease(key, member)
        if failure.event.fields.get("code") == "member_unreachable":
            self._monitor.probe_soon(member)
