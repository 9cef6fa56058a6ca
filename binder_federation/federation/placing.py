"""Where one launch goes: the choice, its record, and the address to go to.

Both modes of `/build` place launches here: `dispatcher.py` relays the member's
stream, `handlers/redirect.py` sends the browser there. The order matters: between
`choose` and the record of its decision nothing is awaited for long, so fifty
visitors of one new repository go to one member.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from binder_federation.binder.build_tokens import BuildClaims, sign_build_token
from binder_federation.binder.errors import MemberUnreachable
from binder_federation.binder.providers import Repositories
from binder_federation.binder.resolver import ResolvedSpec
from binder_federation.config.federation import HealthSettings
from binder_federation.federation.core.choose import Decision, choose
from binder_federation.federation.core.snapshot import Fleet, ImageView
from binder_federation.federation.fleet import FleetView
from binder_federation.federation.launch_request import LaunchRequest, audience
from binder_federation.federation.lessons import Lessons
from binder_federation.federation.limits.quotas import Quotas
from binder_federation.federation.metrics import FederationMetrics
from binder_federation.federation.roster import Member, Roster
from binder_federation.runtime.errors import ServiceError

MOST_DECISIONS = 3
"""For one attempt, when other replicas begin to build the same image meanwhile."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a launch would be decided from now, and how. Nothing is recorded of it."""

    fleet: Fleet
    image: ImageView
    decision: Decision
    now: float


class Placing:
    """Decides launches. Everything it needs comes in; it keeps no state of its own."""

    def __init__(
        self,
        *,
        roster: Roster,
        repositories: Repositories,
        fleet: FleetView,
        lessons: Lessons,
        metrics: FederationMetrics,
        health_settings: HealthSettings,
        clock: Callable[[], float],
        rng: random.Random,
        quotas: Quotas | None = None,
    ) -> None:
        self._roster = roster
        self._repositories = repositories
        self._fleet = fleet
        self._lessons = lessons
        self._metrics = metrics
        self._health_settings = health_settings
        self._clock = clock
        self._rng = rng
        self._quotas = quotas

    async def place(
        self,
        request: LaunchRequest,
        resolved: ResolvedSpec,
        *,
        tried: frozenset[str] = frozenset(),
    ) -> Decision:
        """Choose a member and record the decision before anybody else decides.

        `tried` are the members that failed this launch already. Raises `QuotaExceeded` or
        `BuildQuotaExceeded` when the federation's own quotas are reached, `SpecBanned` when the
        resolved spec is banned although it was asked for by another name.
        """
        now = self._clock()
        self._check_quota(request, resolved)
        image = await self._fleet.image(resolved, now=now)
        for _ in range(MOST_DECISIONS):
            decision = self._decide(request, image, tried=tried, now=now)
            self._check_build(decision, image)
            lease = await self._lessons.lease(decision, image, now=now)
            if lease is None:
                break
            image = image._replace(building_since={lease.member: lease.since})
        try:  # again: others may have come while this one waited
            self._check_quota(request, resolved)
            self._check_build(decision, image)
        except ServiceError:
            await self._lessons.not_sent(resolved, decision)
            raise
        # No await between the check and this.
        self._lessons.sent(resolved, decision, now=now, is_session=not request.is_build_only)
        self._metrics.count_decision(decision)
        return decision

    def _check_quota(self, request: LaunchRequest, resolved: ResolvedSpec) -> None:
        if self._quotas is None:
            return
        if resolved.spec.repository != request.spec.repository:
            self._quotas.check_ban(resolved.spec)
        if not request.is_build_only:
            self._quotas.check(resolved.spec.affinity_key)

    def _check_build(self, decision: Decision, image: ImageView) -> None:
        chosen = decision.chosen
        if self._quotas is not None and chosen is not None and chosen.tier.needs_build:
            self._quotas.check_build(image.affinity_key, image.key)

    def _decide(
        self, request: LaunchRequest, image: ImageView, *, tried: frozenset[str], now: float
    ) -> Decision:
        fleet = self._fleet.snapshot(now=now)
        decide = partial(
            choose,
            fleet,
            image,
            now=now,
            rng=self._rng,
            prefer=request.prefer or None,
            settings=self._health_settings,
        )
        unable = self._roster.unable_to_prepare() if request.is_build_only else frozenset()
        avoided = (request.avoid | unable) - tried
        decision = decide(exclude=tried | avoided)
        if decision.member is None and avoided:  # better the member they did not want than none
            decision = decide(exclude=tried)
        return decision

    async def preview(
        self, resolved: ResolvedSpec, *, exclude: frozenset[str] = frozenset()
    ) -> Preview:
        """The decision that a launch would get now; nothing is recorded or counted."""
        now = self._clock()
        image = await self._fleet.image(resolved, now=now)
        fleet = self._fleet.snapshot(now=now)
        decision = choose(
            fleet,
            image,
            now=now,
            rng=self._rng,
            exclude=exclude,
            settings=self._health_settings,
        )
        return Preview(fleet, image, decision, now)

    def member(self, name: str) -> Member:
        """The member that a decision names; it may have left the federation since."""
        member = self._roster.find(name)
        if member is None:
            raise MemberUnreachable(f"{name} is not a member of this federation.")
        return member

    def path(self, resolved: ResolvedSpec) -> str:
        """`<provider>/<repository at the resolved ref>`, percent-encoded."""
        spec = resolved.spec
        return audience(spec.provider, self._repositories.format(spec.at(resolved.resolved_ref)))

    def _untold_ref(self, path: str, resolved: ResolvedSpec) -> str:
        """The resolved ref, where `path` itself does not say it: a DOI may have many versions."""
        spec = resolved.spec
        is_told = path != audience(spec.provider, self._repositories.format(spec.at("HEAD")))
        return "" if is_told else resolved.resolved_ref

    def sign(
        self,
        request: LaunchRequest,
        resolved: ResolvedSpec,
        path: str,
        member: Member,
        *,
        launch: str = "",
    ) -> str:
        """The token that lets somebody ask `member` for `path` on behalf of this visitor.

        `launch` is what the member calls this launch; without it, it cannot be asked for again.
        Empty for a BinderHub, which takes no tokens but its own.
        """
        if member.is_binderhub:
            return ""
        claims = BuildClaims(
            audience=path,
            client_address=request.client_address,
            launch_host=request.launch_host,
            request=request.path,
            origin=request.origin,
            launch=launch,
            resolved_ref=self._untold_ref(path, resolved),
        )
        return sign_build_token(member.credential, claims, now=self._clock())
