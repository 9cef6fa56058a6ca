"""Copies of hot images, made ahead of need: members are asked to prepare an image.

Every few seconds the images that are asked for most are looked at; one that needs
more members than hold it (`core/spreading.py`) is prepared at the next ones
(`preparing.py`). Visitors go on where the image is until the copy is there.

All replicas name the same members, and an agent makes each image once however many
ask, so nobody needs to agree on who asks.
"""

from collections.abc import Callable

import structlog

from binder_federation.binder.events import Phase
from binder_federation.binder.resolver import ResolvedSpec
from binder_federation.binder.spec import ImageKey
from binder_federation.config.federation import CopySettings, HealthSettings
from binder_federation.federation.arrivals import Arrivals, HotImage
from binder_federation.federation.core.arrivals import MEMORY_SECONDS
from binder_federation.federation.core.spreading import plan_copies
from binder_federation.federation.fleet import FleetView
from binder_federation.federation.metrics import FederationMetrics
from binder_federation.federation.preparing import Preparing
from binder_federation.runtime.errors import ServiceError
from binder_federation.runtime.tasks import BackgroundTasks

log = structlog.get_logger(__name__)

LEAST_PER_SECOND = 3.0 / MEMORY_SECONDS
"""What is asked for less than three times in the rate's memory is not hot anywhere."""
AGAIN_AFTER_SECONDS = 600.0
"""A copy that could not be made is tried again after so long."""

_Copy = tuple[ImageKey, str]


class Copies:
    """Asks members to prepare hot images."""

    def __init__(
        self,
        *,
        arrivals: Arrivals,
        fleet: FleetView,
        preparing: Preparing,
        metrics: FederationMetrics,
        settings: CopySettings,
        health_settings: HealthSettings,
        session_seconds: float,
        tasks: BackgroundTasks,
        clock: Callable[[], float],
        unable: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        """`unable()` are members that cannot be asked for an image alone."""
        self._arrivals = arrivals
        self._fleet = fleet
        self._preparing = preparing
        self._metrics = metrics
        self._settings = settings
        self._health_settings = health_settings
        self._session_seconds = session_seconds
        self._tasks = tasks
        self._clock = clock
        self._unable = unable
        self._under_way: set[_Copy] = set()
        self._failed_at: dict[_Copy, float] = {}

    async def check(self) -> None:
        """Begin the copies that are needed now."""
        now = self._clock()
        for hot in self._arrivals.hot(above_per_second=LEAST_PER_SECOND, now=now):
            if now - hot.since < self._settings.after_seconds:
                continue
            for member in await self._plan(hot, now):
                self._begin(hot.resolved, member, now)

    async def _plan(self, hot: HotImage, now: float) -> tuple[str, ...]:
        image = await self._fleet.image(hot.resolved, now=now)
        return plan_copies(
            self._fleet.snapshot(now=now),
            image,
            arrivals_per_second=hot.per_second,
            session_seconds=self._session_seconds,
            now=now,
            settings=self._health_settings,
            unable=self._unable(),
        )

    def _begin(self, resolved: ResolvedSpec, member: str, now: float) -> None:
        copy = (resolved.image_key, member)
        if copy in self._under_way or len(self._under_way) >= self._settings.most_at_once:
            return
        if now - self._failed_at.get(copy, -AGAIN_AFTER_SECONDS) < AGAIN_AFTER_SECONDS:
            return
        self._under_way.add(copy)
        self._tasks.start(self._make(resolved, member, copy), name=f"copy-{member}")

    async def _make(self, resolved: ResolvedSpec, member: str, copy: _Copy) -> None:
        log.info("copy_begun", member=member, repository=resolved.spec.repository)
        try:
            event = await self._preparing.prepare(resolved, member)
            is_made = event.phase is Phase.READY
        except ServiceError as error:
            log.warning("copy_failed", member=member, reason=error.code)
            is_made = False
        finally:
            self._under_way.discard(copy)
        self._metrics.count_copy(member, is_made=is_made)
        if is_made:
            self._failed_at.pop(copy, None)
        else:
            self._failed_at[copy] = self._clock()
