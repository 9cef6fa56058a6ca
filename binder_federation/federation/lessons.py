"""What the federation learns from the launches that pass through it.

A decision to build becomes a lease before anybody else decides; what a member's
stream says becomes facts and estimates; how an attempt ended becomes evidence for
health, and a broken stream asks for a probe at once.
"""

from binder_federation.binder.events import Event, Phase
from binder_federation.binder.messages import ImageRecord, Tier
from binder_federation.binder.resolver import ResolvedSpec
from binder_federation.federation.core.choose import Decision
from binder_federation.federation.core.snapshot import ImageView
from binder_federation.federation.decisions import Decisions
from binder_federation.federation.learned import Learned
from binder_federation.federation.locality.contract import Lease, LocalityStore
from binder_federation.federation.outcomes import FailedAttempt
from binder_federation.federation.reports import Reports
from binder_federation.federation.stopwatch import Stopwatch
from binder_federation.health.monitor import HealthMonitor
from binder_federation.runtime.errors import Fault


class Lessons:
    """Turns what happens to launches into facts, leases, estimates and evidence."""

    def __init__(
        self,
        *,
        store: LocalityStore,
        reports: Reports,
        decisions: Decisions,
        learned: Learned,
        monitor: HealthMonitor,
    ) -> None:
        self._store = store
        self._reports = reports
        self._decisions = decisions
        self._learned = learned
        self._monitor = monitor

    async def lease(self, decision: Decision, image: ImageView, *, now: float) -> Lease | None:
        """The lease for a decision that is to build; None when it is free to go ahead.

        A lease that comes back is another member's: somebody was quicker to begin this
        build, and the launch is better decided again, knowing it. If the decision knew
        of that lease, its holder may take no launch, so it is void.
        """
        member, chosen = decision.member, decision.chosen
        if member is None or chosen is None or not chosen.tier.needs_build:
            return None
        lease = await self._store.take_lease(image.key, member, now=now)
        if lease.member == member:
            return None
        if lease.member not in image.building_since:
            return lease
        await self._store.release_lease(image.key, lease.member)
        await self._store.take_lease(image.key, member, now=now)
        return None

    def sent(
        self,
        resolved: ResolvedSpec,
        decision: Decision,
        *,
        now: float,
        is_session: bool = True,
    ) -> None:
        """A launch goes to the member that was chosen, which may have to build for it."""
        member, chosen = decision.member, decision.chosen
        if member is None or chosen is None:
            return
        self._decisions.sent(member, resolved, now=now, is_session=is_session)
        if chosen.tier.needs_build:
            self._decisions.building(member, resolved, now=now)

    async def not_sent(self, resolved: ResolvedSpec, decision: Decision) -> None:
        """The launch is refused after all: the member that was chosen builds nothing for it."""
        member, chosen = decision.member, decision.chosen
        if member is not None and chosen is not None and chosen.tier.needs_build:
            await self._store.release_lease(resolved.image_key, member)

    async def saw(self, resolved: ResolvedSpec, member: str, event: Event, *, now: float) -> None:
        """A member's stream said something."""
        if event.phase is not Phase.BUILT and event.phase is not Phase.READY:
            return
        key = resolved.image_key
        record = ImageRecord(key=key, repository=resolved.spec.affinity_key, tier=Tier.NODE)
        self._decisions.built(key)
        await self._store.note_image(member, record, now=now)
        await self._store.release_lease(key, member)

    async def builds_after_all(self, resolved: ResolvedSpec, member: str, *, now: float) -> None:
        """A member builds what it was believed to hold: the fact was old, as a BinderHub's grow."""
        key = resolved.image_key
        await self._store.forget_image(member, key)
        await self._store.take_lease(key, member, now=now)

    def timed(self, member: str, stopwatch: Stopwatch) -> None:
        """An attempt that got to `ready` took so long for its parts."""
        for work, seconds in stopwatch.lessons():
            self._learned.observe(member, work, seconds)

    async def attempt_ended(
        self,
        resolved: ResolvedSpec,
        member: str,
        failure: FailedAttempt | None,
        *,
        decided_at: float,
    ) -> None:
        """An attempt that was decided then is over: who failed no longer builds, and one that
        broke is probed."""
        if failure is None:
            self._monitor.observe_outcome(member, is_success=True)
            return
        self._decisions.gone(member, resolved)
        if failure.is_refusal:
            self._note_full(member, failure)
            await self._release_own_lease(resolved, member, decided_at)
            return
        self._decisions.built(resolved.image_key)
        await self._store.release_lease(resolved.image_key, member)
        if failure.fault is Fault.MEMBER:
            self._monitor.observe_outcome(member, is_success=False)
        if failure.event.fields.get("code") == "member_unreachable":
            self._monitor.probe_soon(member)

    def contradicted(self, member: str) -> None:
        """It blamed the repository, which another member launched then: a failure of its own."""
        self._monitor.observe_outcome(member, is_success=False)

    async def _release_own_lease(
        self, resolved: ResolvedSpec, member: str, decided_at: float
    ) -> None:
        """A member without room may be building the image for those who came earlier."""
        key = resolved.image_key
        facts = await self._store.facts(key, resolved.spec.affinity_key, now=decided_at)
        if facts.building_since.get(member, 0.0) >= decided_at:
            self._decisions.built(key)
            await self._store.release_lease(key, member)

    def _note_full(self, member: str, failure: FailedAttempt) -> None:
        if failure.is_closed_to_all:
            self._reports.note_full(member)
