"""One build per image, however many watch.

The first who asks for an image starts its build as a background task; everybody
who asks while it runs follows the same `Broadcast`. A build waits for a slot
(fair between repositories), watching holds none. It goes on when its watchers
leave: the next launch finds the image. A failure is told to all watchers and not
kept: the next request builds anew.

Neighbours: `stacks.base.Builder` makes the image, `inventory.py` makes room after it,
`launches.py` watches.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from binder_federation.binder.errors import MemberBuildFailed
from binder_federation.binder.events import Event, Phase
from binder_federation.binder.spec import ImageKey
from binder_federation.cluster_agent.broadcast import Broadcast
from binder_federation.cluster_agent.metrics import AgentMetrics
from binder_federation.cluster_agent.slots import FairSlots
from binder_federation.cluster_agent.stacks.base import (
    Builder,
    BuildPlan,
    Image,
    ImageStore,
    Room,
)
from binder_federation.config.agent import AgentBuildSettings
from binder_federation.runtime.errors import ServiceError
from binder_federation.runtime.tasks import BackgroundTasks
from binder_federation.runtime.tracing import NO_TRACING, Tracing

log = structlog.get_logger(__name__)

Emit = Callable[[Event], None]

MOST_LINE = 4000
"""Characters of a tool's line. An event with it fits 64 KiB, whatever they are."""
GRACE_SECONDS = 15.0
"""A builder keeps its deadlines itself, with better messages; this is for one that hangs."""


@dataclass(slots=True)
class _Build:
    plan: BuildPlan
    record: Broadcast = field(default_factory=Broadcast)
    image: Image | None = None
    error: ServiceError | None = None

    def enter(self, phase: Phase, message: str) -> None:
        """`BuildProgress`: the build is at `phase` now."""
        self.record.append(Event(phase, f"{message}\n"))

    def log(self, line: str) -> None:
        """`BuildProgress`: a line of a tool's output."""
        shown = line if len(line) <= MOST_LINE else f"{line[:MOST_LINE]} …"
        self.record.append(Event(self.record.phase or Phase.BUILDING, f"{shown}\n"))

    def tell_place(self, place: int) -> None:
        """The build waits for a slot, `place` in the line."""
        self.record.append(
            Event(Phase.WAITING, f"Waiting for a build slot: {ordinal(place)} in line.\n")
        )


class Builds:
    """The builds of this member."""

    def __init__(
        self,
        *,
        builder: Builder,
        images: ImageStore,
        settings: AgentBuildSettings,
        tasks: BackgroundTasks,
        metrics: AgentMetrics,
        on_built: Callable[[Image], None],
        room: Callable[[], Room],
        further_seconds: float = 0.0,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        self._builder = builder
        self._images = images
        self._settings = settings
        self._tasks = tasks
        self._metrics = metrics
        self._tracing = tracing
        self._on_built = on_built
        self._room = room
        # Before and after the build proper: a place to build, the push.
        self._limit_seconds = settings.timeout_seconds + further_seconds + GRACE_SECONDS
        self._running: dict[ImageKey, _Build] = {}
        self._slots = FairSlots(slots=settings.slots, most_per_group=max(1, settings.slots // 2))

    @property
    def building(self) -> int:
        """Builds that hold a slot."""
        return self._slots.held

    @property
    def waiting(self) -> int:
        """Builds that wait for one."""
        return self._slots.waiting

    async def watch(self, plan: BuildPlan, emit: Emit) -> Image:
        """The image of `plan`; its build is started if none runs, and told to `emit`.

        Raises what the build failed with: `BuildFailed` when the repository is to
        blame, `MemberBuildFailed` when this member is. Cancelling it ends the
        watching alone.
        """
        build = self._running.get(plan.key)
        tail_lines = self._settings.log_tail_lines
        if build is None:
            build = self._start(plan)
        async for batch in build.record.follow(tail_lines=tail_lines):
            for event in batch:
                emit(event)
        if build.error is not None:
            raise build.error.with_traceback(None)
        if build.image is None:
            raise MemberBuildFailed("The build was stopped because this member is stopping.")
        return build.image

    def _start(self, plan: BuildPlan) -> _Build:
        build = self._running[plan.key] = _Build(plan)
        self._tasks.start(self._run(build), name=f"build-{plan.key}")
        return build

    async def _run(self, build: _Build) -> None:
        """The whole of one build. Whatever happens, its watchers are told and it is forgotten."""
        try:
            async with self._slots.hold(build.plan.spec.affinity_key, on_place=build.tell_place):
                build.image = await self._images.find(build.plan.key)
                if build.image is None:
                    self._refuse_without_room()
                    build.image = await self._build(build)
                    self._on_built(build.image)
        except ServiceError as error:
            build.error = error
        except Exception:
            log.exception("build_crashed", image=build.plan.key)
            build.error = MemberBuildFailed(
                "The build ended for a reason of this member's own. It has been logged."
            )
        finally:
            del self._running[build.plan.key]
            build.record.close()

    def _refuse_without_room(self) -> None:
        """Images that are there still start; another member may build."""
        room = self._room()
        if not room.can_build:
            raise MemberBuildFailed(room.reason or "This member has no room for builds now.")

    async def _build(self, build: _Build) -> Image:
        provider = build.plan.spec.provider
        with self._metrics.observe_build(), self._tracing.span("build", provider=provider):
            try:
                async with asyncio.timeout(self._limit_seconds):
                    return await self._builder.build(build.plan, build)
            except TimeoutError as error:
                raise MemberBuildFailed(
                    f"The build did not end within {self._limit_seconds:.0f} seconds.",
                    advice="Try again; a build that takes this long may need fewer packages.",
                ) from error


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `4th`, …"""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
