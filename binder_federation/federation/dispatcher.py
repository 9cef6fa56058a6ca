"""One launch from link to notebook: resolve, decide, relay; at another member if need be.

Where a launch goes is decided in `placing.py`. What a stream tells is learned at
once (`lessons`), not when it ends.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

import structlog
from yarl import URL

from binder_federation.binder.events import Event, Phase, failed_event
from binder_federation.binder.providers.refs import short_ref
from binder_federation.binder.resolver import ResolvedSpec, Resolver
from binder_federation.config.federation import LaunchSettings
from binder_federation.federation.core.choose import Decision
from binder_federation.federation.core.cost import Cost
from binder_federation.federation.launches import Launch
from binder_federation.federation.lessons import Lessons
from binder_federation.federation.member_stream import MemberStreams
from binder_federation.federation.metrics import FederationMetrics
from binder_federation.federation.narrator import Narrator
from binder_federation.federation.outcomes import FailedAttempt, final_failure, judge
from binder_federation.federation.placing import Placing
from binder_federation.federation.stopwatch import Stopwatch
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
        resolver: Resolver,
        placing: Placing,
        streams: MemberStreams,
        lessons: Lessons,
        metrics: FederationMetrics,
        settings: LaunchSettings,
        clock: Callable[[], float],
    ) -> None:
        self._resolver = resolver
        self._placing = placing
        self._streams = streams
        self._lessons = lessons
        self._metrics = metrics
        self._settings = settings
        self._clock = clock

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
            tried = frozenset(failure.member for failure in failures)
            decision = await self._placing.place(launch.request, resolved, tried=tried)
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
        stopwatch = Stopwatch(_cost(attempt), now=started_at)
        try:
            event = await self._relay(launch, resolved, attempt, narrator, stopwatch)
            failure = (
                None
                if event.phase is Phase.READY
                else judge(attempt.member, event, phase_before=narrator.phase)
            )
        except ServiceError as error:
            failure = FailedAttempt(attempt.member, failed_event(error), error.fault)
        await self._lessons.attempt_ended(resolved.image_key, attempt.member, failure)
        if failure is None:
            self._lessons.timed(attempt.member, stopwatch)
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
        self,
        launch: Launch,
        resolved: ResolvedSpec,
        attempt: _Attempt,
        narrator: Narrator,
        stopwatch: Stopwatch,
    ) -> Event:
        """Pass a member's events on, adding what the federation knows; returns the final one."""
        url, token = self._address(launch, resolved, attempt.member)
        stream = self._streams.events(attempt.member, url, build_token=token)
        async with aclosing(stream) as events:
            async for event in events:
                if event.phase is Phase.FAILED:
                    return event
                now = self._clock()
                stopwatch.saw(event.phase, now=now)
                await self._lessons.saw(resolved, attempt.member, event, now=now)
                launch.log.append(narrator.tell(event))
                if event.phase is Phase.READY:
                    return event
        raise AssertionError("a member's stream ends with a final event or an error")

    def _address(self, launch: Launch, resolved: ResolvedSpec, name: str) -> tuple[URL, str]:
        """Where the member builds this, and the token that lets us ask."""
        member = self._placing.member(name)
        path = self._placing.path(resolved)
        token = self._placing.sign(launch.request, path, member)
        query = "?build_only=true" if launch.request.is_build_only else ""
        return URL(f"{member.url}/build/{path}{query}", encoded=True), token


def _cost(attempt: _Attempt) -> Cost:
    assert attempt.decision.chosen is not None  # noqa: S101 - it names a member
    return attempt.decision.chosen


def _deadline_event(seconds: float) -> Event:
    error = ServiceError(
        f"The launch took longer than {seconds / 60:.0f} minutes and was given up.",
        advice="Try again: what was built so far is kept.",
    )
    return failed_event(error)
