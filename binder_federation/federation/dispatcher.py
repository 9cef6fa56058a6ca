"""One launch from link to notebook: resolve, decide, relay; at another member if need be.

A launch that another replica began goes on where it is: at the same member, which
knows it by its id, and after the last event that was told.

Where a launch goes is decided in `placing.py`. What a stream tells is learned at
once (`lessons`), not when it ends.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from math import inf
from typing import TypedDict

import structlog
from yarl import URL

from binder_federation.binder.errors import MemberUnreachable
from binder_federation.binder.events import Event, Phase, failed_event
from binder_federation.binder.providers.refs import short_ref
from binder_federation.binder.resolver import ResolvedSpec, Resolver
from binder_federation.config.federation import LaunchSettings
from binder_federation.federation.binderhub.failures import read_failure
from binder_federation.federation.binderhub.requests import visitor_headers
from binder_federation.federation.binderhub.streams import BinderHubStreams
from binder_federation.federation.core.choose import Decision
from binder_federation.federation.core.cost import Cost
from binder_federation.federation.launch import Launch
from binder_federation.federation.launch_ids import MemberPosition, member_launch_id
from binder_federation.federation.launch_state import Course
from binder_federation.federation.lessons import Lessons
from binder_federation.federation.log_allowance import LogAllowance
from binder_federation.federation.member_events import check_ready
from binder_federation.federation.member_stream import MemberEvent, MemberStreams
from binder_federation.federation.metrics import FederationMetrics
from binder_federation.federation.narrator import Narrator
from binder_federation.federation.outcomes import FailedAttempt, final_failure, judge
from binder_federation.federation.placing import Placing
from binder_federation.federation.staying import decide_to_stay
from binder_federation.federation.stopwatch import Stopwatch
from binder_federation.federation.verdicts import Verdicts
from binder_federation.runtime.errors import Fault, ServiceError
from binder_federation.runtime.tasks import BackgroundTasks
from binder_federation.runtime.tracing import NO_TRACING, Tracing

log = structlog.get_logger(__name__)


TURN_EVENTS = 32
"""After so many events at once the visitors' streams get their turn, or they miss some."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One try at one member. One that is resumed was begun by another replica."""

    number: int
    decision: Decision
    member: str
    is_resumed: bool = False
    decided_at: float = inf
    """When, if this replica did."""


class _EndedAt(TypedDict):
    member: str
    attempts: int


class Dispatcher:
    """Runs launches. Everything it needs comes in; it keeps no state of its own."""

    def __init__(
        self,
        *,
        resolver: Resolver,
        placing: Placing,
        streams: MemberStreams,
        binderhubs: BinderHubStreams,
        lessons: Lessons,
        metrics: FederationMetrics,
        settings: LaunchSettings,
        tasks: BackgroundTasks,
        clock: Callable[[], float],
        tracing: Tracing = NO_TRACING,
    ) -> None:
        self._resolver = resolver
        self._placing = placing
        self._streams = streams
        self._binderhubs = binderhubs
        self._lessons = lessons
        self._metrics = metrics
        self._settings = settings
        self._tasks = tasks
        self._clock = clock
        self._tracing = tracing
        self._verdicts = Verdicts(clock)

    async def run(self, launch: Launch) -> None:
        """Tell the launch what happens, up to its final event."""
        spec = launch.request.spec
        with self._tracing.span(
            "launch", provider=spec.provider, repository=spec.affinity_key
        ) as span:
            await self._run_observed(launch)
            last = launch.log.last_event
            span.note(attempts=_ended_at(launch)["attempts"])
            if last is not None and last.phase is Phase.FAILED:
                span.fail(str(last.fields.get("code", "failed"))[:40])

    async def _run_observed(self, launch: Launch) -> None:
        elapsed_seconds = self._clock() - launch.state.began_at
        try:
            async with asyncio.timeout(max(1.0, self._settings.deadline_seconds - elapsed_seconds)):
                await self._run(launch)
        except TimeoutError:
            launch.tell(_deadline_event(self._settings.deadline_seconds))
            self._dismiss(launch)
        except asyncio.CancelledError:
            if launch.is_given_up:
                self._dismiss(launch)
                self._metrics.count_given_up(**_ended_at(launch))
            raise
        except ServiceError as error:
            launch.tell(failed_event(error))
        self._metrics.count_end(launch.log.last_event, **_ended_at(launch))

    async def _run(self, launch: Launch) -> None:
        resolved = await self._resolve(launch)
        while len(launch.failures) < self._settings.attempts:
            attempt = await self._stay(launch, resolved) or await self._place(launch, resolved)
            if attempt is None:
                return
            failure = await self._try_observed(launch, resolved, attempt)
            if failure is None:
                self._launched(launch, resolved)
                return
            verdict = _verdict(launch.failures)
            launch.note_failure(failure)
            if failure.is_final:
                if verdict is not None:  # a second member says the same
                    self._verdicts.note_broken(resolved.image_key)
                    break
                if self._verdicts.is_broken(resolved.image_key):
                    break
        launch.tell(final_failure(launch.failures, {}))

    def _launched(self, launch: Launch, resolved: ResolvedSpec) -> None:
        """It works: who said that the repository is broken was wrong."""
        self._verdicts.note_works(resolved.image_key)
        verdict = _verdict(launch.failures)
        if verdict is not None:
            log.warning("member_contradicted", launch=launch.id, member=verdict.member)
            self._lessons.contradicted(verdict.member)

    async def _resolve(self, launch: Launch) -> ResolvedSpec:
        if launch.state.resolved is not None:
            return launch.state.resolved
        spec = launch.request.spec
        is_new = launch.log.last_number == 0
        if is_new:
            what = "" if spec.ref == "HEAD" else f"{short_ref(spec.ref)} of "
            launch.tell(Event(Phase.WAITING, f"Looking up {what}{spec.repository}.\n"))
        with self._tracing.span("resolve", provider=spec.provider):
            resolved = await self._resolver.resolve(spec)
        if resolved.note and is_new:
            launch.tell(Event(Phase.WAITING, f"{resolved.note}\n"))
        launch.note_resolved(resolved)
        return resolved

    async def _stay(self, launch: Launch, resolved: ResolvedSpec) -> _Attempt | None:
        """The attempt that another replica began, if it can be gone on with."""
        course = launch.state.course
        if course is None:
            return None
        decision = decide_to_stay(await self._placing.preview(resolved), course)
        if decision is None:
            return None
        return _Attempt(course.attempt, decision, course.member, is_resumed=True)

    async def _place(self, launch: Launch, resolved: ResolvedSpec) -> _Attempt | None:
        """A new attempt; None when nobody may take the launch, which then has failed."""
        failures = launch.failures
        tried = frozenset(failure.member for failure in failures)
        decided_at = self._clock()
        with self._tracing.span("decide", tried=len(tried)) as span:
            decision = await self._placing.place(launch.request, resolved, tried=tried)
            span.note(**_told(decision))
        if decision.member is None:
            launch.tell(final_failure(failures, decision.refused))
            return None
        attempt = _Attempt(len(failures) + 1, decision, decision.member, decided_at=decided_at)
        launch.note_course(Course(attempt.member, attempt.number, decision.phrase))
        return attempt

    async def _try_observed(
        self, launch: Launch, resolved: ResolvedSpec, attempt: _Attempt
    ) -> FailedAttempt | None:
        """As `_try`, in a span, and with the name that the member has for the launch."""
        member, number = attempt.member, attempt.number
        with self._tracing.span("attempt", member=member, attempt=number) as span:
            log.info(
                "attempt_begun",
                member=member,
                attempt=number,
                member_launch=member_launch_id(launch.id, member),
            )
            failure = await self._try(launch, resolved, attempt)
            if failure is not None:
                span.fail(str(failure.event.fields.get("code", failure.fault.value))[:40])
        return failure

    async def _try(
        self, launch: Launch, resolved: ResolvedSpec, attempt: _Attempt
    ) -> FailedAttempt | None:
        """Relay one member's stream; None when it ended well."""
        narrator = Narrator(attempt.decision, attempt.number, clock=self._clock)
        if not attempt.is_resumed:
            failed_before = launch.failures[-1] if launch.failures else None
            launch.tell(narrator.introduction(failed_before), MemberPosition(attempt.member))
        started_at = self._clock()
        stopwatch = Stopwatch(_cost(attempt), now=started_at)
        try:
            event = await self._relay(launch, resolved, attempt, narrator, stopwatch)
            failure = self._judge(attempt.member, event, phase_before=narrator.phase)
        except ServiceError as error:
            failure = FailedAttempt(attempt.member, failed_event(error), error.fault)
            self._dismiss(launch)
        except Exception:
            # What a member sends is the member's. If the mistake is ours, the log has it.
            log.exception("member_stream_not_read", member=attempt.member, launch=launch.id)
            unreadable = MemberUnreachable(f"{attempt.member} sent what cannot be read.")
            failure = FailedAttempt(attempt.member, failed_event(unreadable), Fault.MEMBER)
            self._dismiss(launch)
        await self._lessons.attempt_ended(
            resolved, attempt.member, failure, decided_at=attempt.decided_at
        )
        if failure is None and not attempt.is_resumed:
            self._lessons.timed(attempt.member, stopwatch)
        self._count(launch, attempt, failure, narrator, started_at=started_at)
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

    def _count(
        self,
        launch: Launch,
        attempt: _Attempt,
        failure: FailedAttempt | None,
        narrator: Narrator,
        *,
        started_at: float,
    ) -> None:
        """For metrics. Images alone are no launches that anybody waits for."""
        now = self._clock()
        seconds = now - started_at
        self._metrics.count_attempt(attempt.member, failure, phase=narrator.phase, seconds=seconds)
        if failure is None and not launch.request.is_build_only:
            self._metrics.observe_launch(
                attempt.member,
                _cost(attempt),
                seconds=now - launch.state.began_at,
                attempt_seconds=None if attempt.is_resumed else seconds,
            )

    def _judge(self, member: str, event: Event, *, phase_before: Phase) -> FailedAttempt | None:
        """Whose failure a stream's final event is; None when it ended well."""
        if event.phase is Phase.READY:
            return None
        if self._placing.member(member).is_binderhub:
            event = read_failure(member, event, phase_before=phase_before)
        return judge(member, event, phase_before=phase_before)

    async def _relay(
        self,
        launch: Launch,
        resolved: ResolvedSpec,
        attempt: _Attempt,
        narrator: Narrator,
        stopwatch: Stopwatch,
    ) -> Event:
        """Pass a member's events on, adding what the federation knows; returns the final one."""
        member, allowance = attempt.member, LogAllowance(attempt.member)
        async with aclosing(self._open(launch, resolved, member)) as events:
            async for numbered in events:
                event = numbered.event
                if event.phase is Phase.FAILED:
                    return event
                if event.phase is Phase.READY and not launch.request.is_build_only:
                    _check_ready(member, event)
                now = self._clock()
                stopwatch.saw(event.phase, now=now)
                if event.fields.get("warm") is True:
                    stopwatch.note_warm()
                await self._lessons.saw(resolved, member, event, now=now)
                if _is_surprised(attempt, event, narrator):
                    await self._lessons.builds_after_all(resolved, member, now=now)
                told = allowance.take(event, numbered.size)
                if told is not None:
                    launch.tell(narrator.tell(told), MemberPosition(member, numbered.number))
                if event.phase is Phase.READY:
                    return event
                if launch.log.last_number % TURN_EVENTS == 0:
                    await asyncio.sleep(0)
        raise AssertionError("a member's stream ends with a final event or an error")

    def _open(
        self, launch: Launch, resolved: ResolvedSpec, name: str
    ) -> AsyncGenerator[MemberEvent, None]:
        """The member's stream, which an agent goes on with where this launch left it."""
        url, token = self._address(launch, resolved, name)
        member = self._placing.member(name)
        if member.is_binderhub:
            path = self._placing.path(resolved)
            headers = visitor_headers(launch.request)
            return self._binderhubs.numbered(member, path, url, headers=headers)
        at = launch.log.at
        after = at.number if at.member == name else 0
        return self._streams.numbered(name, url, build_token=token, after=after)

    def _dismiss(self, launch: Launch) -> None:
        """Let the member end at once what nobody watches any more, if it still hears us."""
        course, resolved = launch.state.course, launch.state.resolved
        if course is None or resolved is None or self._placing.member(course.member).is_binderhub:
            return  # a BinderHub sees the stream end, and knows nothing more of it
        url, token = self._address(launch, resolved, course.member)
        dismissal = self._streams.dismiss(course.member, url, build_token=token)
        self._tasks.start(dismissal, name=f"dismiss:{launch.id}")

    def _address(self, launch: Launch, resolved: ResolvedSpec, name: str) -> tuple[URL, str]:
        """Where the member builds this, and the token that lets us ask."""
        member = self._placing.member(name)
        path = self._placing.path(resolved)
        token = self._placing.sign(
            launch.request, resolved, path, member, launch=member_launch_id(launch.id, name)
        )
        query = "?build_only=true" if launch.request.is_build_only else ""
        return URL(f"{member.url}/build/{path}{query}", encoded=True), token


def _verdict(failures: tuple[FailedAttempt, ...]) -> FailedAttempt | None:
    """The first failure that is the repository's, as its member says."""
    return next((failure for failure in failures if failure.is_final), None)


def _check_ready(member: str, event: Event) -> None:
    try:
        check_ready(event)
    except ValueError as error:
        raise MemberUnreachable(f"{member} says that it is ready, and not where.") from error


def _cost(attempt: _Attempt) -> Cost:
    assert attempt.decision.chosen is not None  # noqa: S101 - it names a member
    return attempt.decision.chosen


def _ended_at(launch: Launch) -> _EndedAt:
    """The member that had the launch last, and the number of attempts."""
    course, failures = launch.state.course, launch.failures
    if course is not None:
        return {"member": course.member, "attempts": len(failures) + 1}
    return {"member": failures[-1].member if failures else "", "attempts": len(failures)}


def _told(decision: Decision) -> dict[str, str]:
    """What a trace tells of a decision."""
    told = {"member": decision.member or "none", "reason": decision.reason.value}
    return told | ({"locality": decision.chosen.tier.value} if decision.chosen else {})


def _is_surprised(attempt: _Attempt, event: Event, narrator: Narrator) -> bool:
    """Whether a build begins where the image was thought to be."""
    begins = event.phase is Phase.BUILDING and narrator.phase is not Phase.BUILDING
    return begins and _cost(attempt).tier.is_there


def _deadline_event(seconds: float) -> Event:
    error = ServiceError(
        f"The launch took longer than {seconds / 60:.0f} minutes and was given up.",
        advice="Try again: what was built so far is kept.",
    )
    return failed_event(error)
