"""Garbage collections that stop nobody for long.

CPython's full collection walks the whole heap and stops every stream meanwhile: with
2,000 launches under way that was 0.3 s and more, several times a minute. Young objects
are collected as ever, a little less often; what is old is looked at in a quiet moment.
"""

import gc
import time
from collections.abc import Callable

import structlog

from binder_federation.runtime.tasks import BackgroundTasks

log = structlog.get_logger(__name__)

YOUNG_OBJECTS = 50_000
"""So many more objects than before make a collection of the youngest."""
LOOK_EVERY_SECONDS = 300.0
LONGEST_SECONDS = 6 * 3600.0
"""Without a quiet moment for so long, the old are collected all the same."""
NEVER = 1_000_000


def leave_the_old_alone() -> None:
    """Once, when the process has started: what is there now is no garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, NEVER)


def collect_in_quiet_moments(
    tasks: BackgroundTasks,
    *,
    is_quiet: Callable[[], bool],
    every_seconds: float = LOOK_EVERY_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Collect the old from time to time, when `is_quiet` says so, or after hours at the latest."""
    collected_at = clock()

    async def look() -> None:
        nonlocal collected_at
        if not is_quiet() and clock() - collected_at < LONGEST_SECONDS:
            return
        began = clock()
        found = gc.collect()
        collected_at = clock()
        log.info("garbage_collected", objects=found, seconds=round(collected_at - began, 3))

    tasks.run_periodically(look, every_seconds=every_seconds, name="collect-garbage")
