"""Runs the preflight of members that join until it passes, and admits them.

Each report of such a member asks for it (`consider`), so that there is no timer: the first one
begins it, and after checks that failed the next is made when its pause is over, each pause twice
as long as the one before. One at a time for each member, on one replica.
"""

from collections.abc import Callable

import structlog

from binder_federation.binder.joining import JoinCheck, JoinChecks, JoinState
from binder_federation.config.joining import JoiningSettings
from binder_federation.federation.joining.checklists import Checklists, Kept
from binder_federation.federation.joining.preflight.run import NAMES, Preflight
from binder_federation.federation.roster import Member, Roster
from binder_federation.federation.steering.audit import FEDERATION
from binder_federation.federation.steering.document import SteeringDocument
from binder_federation.federation.steering.steering import Steering
from binder_federation.federation.steering.store import SteeringUnavailable
from binder_federation.runtime.tasks import BackgroundTasks

log = structlog.get_logger(__name__)

OTHERS_SECONDS = 10.0
"""Another replica makes the checks: ask again then."""


class Admissions:
    """Who may get launches, of those who join."""

    def __init__(
        self,
        *,
        preflight: Preflight,
        checklists: Checklists,
        roster: Roster,
        steering: Steering,
        settings: JoiningSettings,
        tasks: BackgroundTasks,
        clock: Callable[[], float],
    ) -> None:
        self._preflight = preflight
        self._checklists = checklists
        self._roster = roster
        self._steering = steering
        self._settings = settings
        self._tasks = tasks
        self._clock = clock
        self._running: set[str] = set()
        self._not_before: dict[str, float] = {}

    def consider(self, member: Member) -> None:
        """The member has reported: make its checks, if it is their time."""
        name = member.name
        is_due = self._clock() >= self._not_before.get(name, 0.0)
        if member.is_joining and is_due and name not in self._running:
            self._begin(member, is_asked_for=False)

    async def restart(self, member: Member) -> JoinChecks:
        """Somebody has mended something: make them at once. The checklist as it is then."""
        if not member.is_joining:
            return await self.tell(member)
        if member.name not in self._running:
            self._begin(member, is_asked_for=True)
        return _checking(())

    async def tell(self, member: Member) -> JoinChecks:
        """The member's checklist as it is now."""
        kept = await self._checklists.read(member.name)
        if kept is not None and kept.generation < member.generation and member.is_joining:
            kept = None  # of a membership before this one
        checks = kept.checks if kept else ()
        if not member.is_joining:
            return JoinChecks(state=JoinState.ADMITTED, checks=checks)
        if kept is None:
            return _checking(()) if member.name in self._running else _waiting()
        left = max(0.0, kept.not_before - self._clock())
        return JoinChecks(
            state=kept.state,
            checks=checks,
            next_in_seconds=round(left, 1) if kept.state is JoinState.FAILED else None,
        )

    def forget(self, name: str) -> None:
        """It is no member any more: who joins under its name begins anew."""
        self._not_before.pop(name, None)

    def _begin(self, member: Member, *, is_asked_for: bool) -> None:
        self._running.add(member.name)
        self._tasks.start(
            self._run_alone(member, is_asked_for=is_asked_for), name=f"preflight-{member.name}"
        )

    async def _run_alone(self, member: Member, *, is_asked_for: bool) -> None:
        name = member.name
        try:
            before = await self._checklists.read(name)
            if before is not None and before.generation != member.generation:
                before = None
            if before and not is_asked_for and self._clock() < before.not_before:
                self._not_before[name] = before.not_before
                return
            if not await self._checklists.claim(name, seconds=self._longest_seconds()):
                self._not_before[name] = self._clock() + OTHERS_SECONDS
                return
            try:
                await self._run(member, before.failures if before else 0)
            finally:
                await self._checklists.release(name)
        finally:
            self._running.discard(name)

    async def _run(self, member: Member, failures: int) -> None:
        made: list[JoinCheck] = []
        await self._write(member, JoinState.CHECKING, made)
        async for check in self._preflight.run(member):
            made.append(check)
            await self._write(member, JoinState.CHECKING, made)
        if len(made) == len(NAMES) and all(check.ok is not False for check in made):
            await self._admit(member, made)
        else:
            await self._fail(member, made, failures + 1)

    async def _admit(self, member: Member, made: list[JoinCheck]) -> None:
        now = self._clock()

        def edit(document: SteeringDocument) -> SteeringDocument:
            joined = document.joined.get(member.name)
            is_same = joined is not None and joined.generation == member.generation
            if joined is None or not is_same or joined.admitted_at is not None:
                return document
            return document.with_joined(joined.model_copy(update={"admitted_at": now}))

        try:
            await self._steering.change(
                edit,
                actor=FEDERATION,
                action="admit",
                subject=member.name,
                reason="All of its checks have passed.",
            )
        except SteeringUnavailable:
            await self._fail(member, made, 0)  # the next report tries again
            return
        await self._write(member, JoinState.ADMITTED, made)
        log.info("member_admitted", member=member.name)

    async def _fail(self, member: Member, made: list[JoinCheck], failures: int) -> None:
        settings = self._settings
        pause = min(
            settings.most_pause_seconds, settings.first_pause_seconds * 2 ** max(0, failures - 1)
        )
        not_before = self._clock() + pause
        self._not_before[member.name] = not_before
        failing = [check.name for check in made if check.ok is False]
        log.warning("member_checks_failed", member=member.name, checks=failing)
        await self._write(member, JoinState.FAILED, made, failures=failures, not_before=not_before)

    async def _write(
        self,
        member: Member,
        state: JoinState,
        made: list[JoinCheck],
        *,
        failures: int = 0,
        not_before: float = 0.0,
    ) -> None:
        kept = Kept(
            state=state,
            checks=_all_checks(made),
            generation=member.generation,
            failures=failures,
            not_before=not_before,
        )
        await self._checklists.write(member.name, kept)

    def _longest_seconds(self) -> float:
        return self._settings.launch_seconds + 10 * self._settings.check_seconds


def _all_checks(made: list[JoinCheck]) -> tuple[JoinCheck, ...]:
    """Those that were made, and the others by their names."""
    return (*made, *(JoinCheck(name=name) for name in NAMES[len(made) :]))


def _checking(made: tuple[JoinCheck, ...]) -> JoinChecks:
    return JoinChecks(state=JoinState.CHECKING, checks=_all_checks(list(made)))


def _waiting() -> JoinChecks:
    return JoinChecks(state=JoinState.WAITING, checks=_all_checks([]))
