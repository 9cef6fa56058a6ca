"""Pre-builds: an image is made at members before anybody launches it, as CI asks for.

The ref is resolved once. Then each member is asked as `preparing.py` does it, some at the same
time; one that fails stops no other. What was asked for while the same is under way is the same
pre-build, so a client that tries again causes nothing. Its state can be read at any replica
(`records.py`).
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

import structlog

from binder_federation.binder.resolver import ResolvedSpec, Resolver
from binder_federation.config.prebuild import PrebuildSettings
from binder_federation.federation.core.snapshot import MemberView
from binder_federation.federation.fleet import FleetView
from binder_federation.federation.launch_request import LaunchRequest
from binder_federation.federation.outcomes import nobody_error
from binder_federation.federation.placing import Placing
from binder_federation.federation.prebuilds.plan import first_word, why_not
from binder_federation.federation.prebuilds.records import PrebuildRecords, as_read
from binder_federation.federation.prebuilds.state import MemberBuild, MemberOutcome, Prebuild
from binder_federation.federation.preparing import Preparing
from binder_federation.runtime.errors import Fault, ServiceError
from binder_federation.runtime.tasks import BackgroundTasks

log = structlog.get_logger(__name__)

MOST_MEMBERS_TRIED = 3
"""For one image at one member: further ones are not tried."""

Wanted = tuple[str, ...] | str


class TooManyBuilds(ServiceError):
    """This replica has as many pre-builds under way as it may."""

    code = "too_many_builds"
    status = 503
    retryable = True


class Prebuilds:
    """The pre-builds of this replica."""

    def __init__(
        self,
        *,
        resolver: Resolver,
        fleet: FleetView,
        placing: Placing,
        preparing: Preparing,
        records: PrebuildRecords,
        settings: PrebuildSettings,
        deadline_seconds: float,
        tasks: BackgroundTasks,
        clock: Callable[[], float],
    ) -> None:
        self._resolver = resolver
        self._fleet = fleet
        self._placing = placing
        self._preparing = preparing
        self._records = records
        self._settings = settings
        self._deadline_seconds = deadline_seconds
        self._tasks = tasks
        self._clock = clock
        self._known: dict[str, Prebuild] = {}
        self._room = asyncio.Semaphore(settings.most_at_once)

    @property
    def under_way(self) -> int:
        """Pre-builds of this replica that have not ended."""
        return sum(each.ended_at is None for each in self._known.values())

    async def begin(self, request: LaunchRequest, wanted: Wanted) -> dict[str, Any]:
        """Have the image made; the pre-build as JSON. Raises `TooManyBuilds`.

        `wanted` names members of the roster, or is `all` or `one`.
        """
        path = f"{request.spec.provider}/{request.raw_spec}"
        for each in self._known.values():
            if each.ended_at is None and (each.path, each.wanted) == (path, wanted):
                return self._tell(each)
        if self.under_way >= self._settings.most_under_way:
            raise TooManyBuilds("Very many images are being made.", retry_after_seconds=60)
        prebuild = Prebuild(secrets.token_urlsafe(12), path, wanted, began_at=self._clock())
        self._known[prebuild.id] = prebuild
        await self._write(prebuild)
        self._tasks.start(self._run(prebuild, request), name=f"prebuild:{prebuild.id}")
        return self._tell(prebuild)

    async def find(self, prebuild_id: str) -> dict[str, Any] | None:
        """The pre-build as JSON, wherever it runs; None when nobody knows it."""
        known = self._known.get(prebuild_id)
        if known is not None:
            return self._tell(known)
        body = await self._records.read(prebuild_id)
        return as_read(body, now=self._clock()) if body is not None else None

    async def tidy(self) -> None:
        """Let others know what is under way; forget what ended long ago."""
        now = self._clock()
        for prebuild in list(self._known.values()):
            if prebuild.ended_at is None:
                await self._write(prebuild)
            elif now - prebuild.ended_at > self._settings.kept_seconds:
                del self._known[prebuild.id]

    def _tell(self, prebuild: Prebuild) -> dict[str, Any]:
        return prebuild.to_json(now=self._clock())

    async def _write(self, prebuild: Prebuild) -> None:
        lifetime_seconds = round(self._settings.kept_seconds) + 1
        await self._records.write(self._tell(prebuild), lifetime_seconds=lifetime_seconds)

    async def _run(self, prebuild: Prebuild, request: LaunchRequest) -> None:
        try:
            resolved = await self._resolver.resolve(request.spec)
            prebuild.resolved_ref = resolved.resolved_ref
            if prebuild.wanted == "one":
                await self._at_one(prebuild, resolved)
            else:
                await self._at_each(prebuild, resolved)
        except ServiceError as error:
            prebuild.error = error
        except Exception:
            log.exception("prebuild_crashed", prebuild=prebuild.id)
            prebuild.error = ServiceError("Something went wrong on our side.")
        prebuild.ended_at = self._clock()
        log.info("prebuild_ended", prebuild=prebuild.id, outcome=str(prebuild.outcome))
        await self._write(prebuild)

    async def _at_each(self, prebuild: Prebuild, resolved: ResolvedSpec) -> None:
        """At all members that are wanted, each for itself."""
        fleet = self._fleet.snapshot(now=self._clock())
        names = prebuild.wanted if isinstance(prebuild.wanted, tuple) else tuple(fleet.by_name)
        if not names:
            raise nobody_error({})
        prebuild.members = [MemberBuild(name) for name in names]
        async with asyncio.TaskGroup() as group:
            for part in prebuild.members:
                group.create_task(self._make(resolved, part, fleet.by_name[part.member]))

    async def _at_one(self, prebuild: Prebuild, resolved: ResolvedSpec) -> None:
        """Where a launch would go; at another member when that one fails for its own sake."""
        tried: frozenset[str] = frozenset()
        while len(tried) < MOST_MEMBERS_TRIED:
            preview = await self._placing.preview(resolved, exclude=tried)
            if preview.decision.member is None:
                if not tried:
                    raise nobody_error(preview.decision.refused)
                return
            part = MemberBuild(preview.decision.member)
            prebuild.members.append(part)
            tried |= {part.member}
            await self._make(resolved, part, preview.fleet.by_name[part.member])
            if part.outcome is MemberOutcome.READY or part.fault == Fault.REPOSITORY:
                return

    async def _make(self, resolved: ResolvedSpec, part: MemberBuild, member: MemberView) -> None:
        """One member's part. Raises nothing: it is told in `part`."""
        if why := why_not(member):
            part.skip(why)
            return
        async with self._room:
            part.begin(first_word(member), now=self._clock())
            try:
                async with asyncio.timeout(self._deadline_seconds):
                    event = await self._preparing.prepare(resolved, part.member, on_event=part.saw)
                part.end(event, now=self._clock())
            except ServiceError as error:
                part.fail(error, now=self._clock())
            except TimeoutError:
                minutes = self._deadline_seconds / 60
                late = ServiceError(f"It took longer than {minutes:.0f} minutes.")
                part.fail(late, now=self._clock())
            except Exception:  # a bug of ours at one member stops no other
                log.exception("prebuild_crashed", member=part.member)
                part.fail(ServiceError("Something went wrong on our side."), now=self._clock())
        log.info("prebuild_at_member", member=part.member, outcome=part.outcome, code=part.code)
