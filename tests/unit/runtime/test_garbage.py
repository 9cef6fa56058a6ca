"""Old garbage is collected in quiet moments, and only then."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator

import pytest

from binder_federation.runtime.garbage import collect_in_quiet_moments
from binder_federation.runtime.tasks import BackgroundTasks
from tests.support.eventually import eventually


class Knot:
    """Refers to itself, so only a collection ends it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
async def tasks() -> AsyncIterator[BackgroundTasks]:
    gc.disable()
    running = BackgroundTasks()
    yield running
    await running.aclose()
    gc.enable()


async def test_the_old_go_when_it_is_quiet(tasks: BackgroundTasks) -> None:
    is_quiet, looks = False, 0

    def look() -> bool:
        nonlocal looks
        looks += 1
        return is_quiet

    knot = weakref.ref(Knot())
    collect_in_quiet_moments(tasks, is_quiet=look, every_seconds=0.001)

    async def was_asked() -> bool:
        return looks > 3

    await eventually(was_asked, what="somebody to ask whether it is quiet")
    assert knot() is not None, "while launches are under way nobody collects"
    is_quiet = True

    async def is_gone() -> bool:
        return knot() is None

    await eventually(is_gone, what="the knot to be collected")


async def test_after_hours_without_quiet_they_go_all_the_same(tasks: BackgroundTasks) -> None:
    now = 0.0
    knot = weakref.ref(Knot())
    collect_in_quiet_moments(tasks, is_quiet=lambda: False, every_seconds=0.001, clock=lambda: now)
    await asyncio.sleep(0)
    now = 7 * 3600.0

    async def is_gone() -> bool:
        return knot() is None

    await eventually(is_gone, what="the knot to be collected")
