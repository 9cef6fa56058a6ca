"""One launch from link to notebook: resolve, decide, relay; at another member if need be.

The order that matters: between `choose` and the lease that records its decision
nothing is awaited for long, so fifty visitors of one new repository go to one
member. What a stream tells is learned at once (`lessons`), not when it ends.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

import structlog
from yarl import URL

from binder_federation.binder.build_tokens import BuildClaims, sign_build_token
from binder_federation.binder.events import Event, Phase, failed_event
from binder_federation.binder.providers import Repositories
from binder_federation.binder.providers.refs import short_ref
from binder_federation.binder.resolver import ResolvedSpec, Resolver
from binder_federation.config.federation import HealthSettings, LaunchSettings
from binder_federation.federation.core.choose import Decision, choose
from binder_federation.federation.fleet import FleetView
from binder_federation.federation.launch_request import audience
from binder_federation.federation.launches import Launch
from binder_federation.federation.lessons import Lessons
from binder_federation.federation.member_stream import MemberStreams
from binder_federation.federation.metrics import FederationMetrics
from binder_federation.federation.narrator import Narrator
from binder_federation.federation.outcomes import FailedAttempt, final_failure, judge
from binder_federation.federation.roster import Roster
from binder_federation.runtime.errors import ServiceError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One try at one member."""

    number: int
    decision: Decision
    member: str


class Dispatcher:
    """Runs launches. Everything it needs comes in; it keeps no state of its own."""

    def __init__(
        self,
        *,
        roster: Roster,
        repositories: Repositories,
        resolver: Resolver,
        fleet: FleetView,
        streams: MemberStreams,
        lessons: Lessons,
        metrics: FederationMetrics,
        settings: LaunchSettings,
        health_settings: HealthSettings,
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self._roster = roster
        self._repositories = repositories
        self._resolver = resolver
        self._fleet = fleet
        self._streams = streams
        self._lessons = lessons
        self._metrics = metrics
        self._settings = settings
        self._health_settings = health_settings
        self._clock = clock
        self._rng = rng

    async def run(self, launch: Launch) -> None:
        """Append the launch's events to its log, up to the final one."""
        try:
            async with asyncio.timeout(self._settings.deadline_seconds):
                await self._run(launch)
        except TimeoutError:
            launch.log.append(_deadline_event(self._settings.deadline_seconds))
        except ServiceError as error:
            launch.log.append(failed_event(error))
        self._metrics.count_end(launch.log.last_event)

    async def _run(self, launch: Launch) -> None:
        spec = launch.request.spec
        launch.log.append(
            Event(Phase.WAITING, f"Looking up {short_ref(spec.ref)} of {spec.repository}.\n")
        )
        resolved = await self._resolver.resolve(spec)
        if resolved.note:
            launch.log.append(Event(Phase.WAITING, f"{resolved.note}\n"))
        failures: list[FailedAttempt] = []
        for number in range(1, self._settings.attempts + 1):
            decision = await self._decide(launch, resolved, failures)
            if decision.member is None:
                launch.log.append(final_failure(failures, decision.refused))
                return
            attempt = _Attempt(number, decision, decision.member)
            failure = await self._try(launch, resolved, attempt, failures)
            if failure is None:
                return
            failures.append(failure)
            if failure.is_final:
                launch.log.append(failure.event.adding(member=failure.member, attempt=number))
                return
        launch.log.append(final_failure(failures, {}))

    async def _decide(
        self, launch: Launch, resolved: ResolvedSpec, failures: list[FailedAttempt]
    ) -> Decision:
        """Choose a member and record the decision before anybody else decides."""
        key = resolved.image_key
        tried = frozenset(failure.member for failure in failures)
        avoided = launch.request.avoid - tried
        now = self._clock()
        image = await self._fleet.image(resolved, now=now)
        fleet = self._fleet.snapshot(now=now)
        decide = partial(
            choose, fleet, image, now=now, rng=self._rng, settings=self._health_settings
        )
        decision = decide(exclude=tried | avoided)
        if decision.member is None and avoided:  # better the member they did not want than none
            decision = decide(exclude=tried)
        if decision.member is not None:
            await self._lessons.decided(key, decision, now=now)
        self._metrics.count_decision(decision)
        return decision

    async def _try(
        self,
        launch: Launch,
        resolved: ResolvedSpec,
        attempt: _Attempt,
        failures: list[FailedAttempt],
    ) -> FailedAttempt | None:
        """Relay one member's stream; None when it ended well."""
        narrator = Narrator(attempt.decision, attempt.number, clock=self._clock)
        launch.log.append(narrator.introduction(failures[-1] if failures else None))
        started_at = self._clock()
        try:
            event = await self._relay(launch, resolved, attempt, narrator)
            failure = (
                None
                if event.phase is Phase.READY
                else judge(attempt.member, event, phase_before=narrator.phase)
            )
        except ServiceError as error:
            failure = FailedAttempt(attempt.member, failed_event(error), error.fault)
        await self._lessons.attempt_ended(resolved.image_key, attempt.member, failure)
        self._metrics.count_attempt(attempt.member, failure, self._clock() - started_at)
        if failure is not None:
            log.warning(
                "attempt_failed",
                launch=launch.id,
                member=attempt.member,
                attempt=attempt.number,
                fault=failure.fault.value,
                code=failure.event.fields.get("code"),
                phase=narrator.phase.value,
            )
        return failure

    async def _relay(
        self, launch: Launch, resolved: ResolvedSpec, attempt: _Attempt, narrator: Narrator
    ) -> Event:
        """Pass a member's events on, adding what the federation knows; returns the final one."""
        url, token = self._address(launch, resolved, attempt.member)
        stream = self._streams.events(attempt.member, url, build_token=token)
        async with aclosing(stream) as events:
            async for event in events:
                if event.phase is Phase.FAILED:
                    return event
                await self._lessons.saw(resolved, attempt.member, event, now=self._clock())
                launch.log.append(narrator.tell(event))
                if event.phase is Phase.READY:
                    return event
        raise AssertionError("a member's stream ends with a final event or an error")

    def _address(self, launch: Launch, resolved: ResolvedSpec, name: str) -> tuple[URL, str]:
        """Where the member builds this, and the token that lets us ask."""
        member = self._roster.get(name)
        assert member is not None, "the fleet's snapshot is made from the roster"  # noqa: S101
        request = launch.request
        raw_spec = self._repositories.format(resolved.spec.at(resolved.resolved_ref))
        path = audience(request.spec.provider, raw_spec)
        claims = BuildClaims(
            audience=path,
            client_address=request.client_address,
            launch_host=request.launch_host,
            request=request.path,
            origin=request.origin,
        )
        token = sign_build_token(member.credential, claims, now=self._clock())
        query = "?build_only=true" if request.is_build_only else ""
        return URL(f"{member.url}/build/{path}{query}", encoded=True), token


def _deadline_event(seconds: float) -> Event:
    error = ServiceError(
        f"The launch took longer than {seconds / 60:.0f} minutes and was given up.",
        advice="Try again: what was built so far is kept.",
    )
    return failed_event(error)
