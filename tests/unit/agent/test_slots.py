"""Places that are waited for."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from binder_federation.cluster_agent.slots import FairSlots


async def test_waiters_are_told_their_place_and_served_in_turn() -> None:
    slots = FairSlots(slots=1)
    told: dict[str, list[int]] = {"b": [], "c": []}
    order = []

    async def wait(name: str) -> None:
        async with slots.hold(name, on_place=told[name].append):
            order.append(name)

    async with AsyncExitStack() as first:
        await first.enter_async_context(slots.hold("a", on_place=lambda _: None))
        waiting = [asyncio.create_task(wait(name)) for name in "bc"]  # noqa: TID251 - a test's own
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert slots.waiting == 2
    await asyncio.gather(*waiting)
    assert told == {"b": [1], "c": [2, 1]}
    assert order == ["b", "c"]
    assert (slots.held, slots.waiting) == (0, 0)


async def test_no_place_is_lost_whenever_a_waiter_is_cancelled() -> None:
    """Cancelled while it waits, and in the very tick in which it is served."""
    slots = FairSlots(slots=1)
    may_end = asyncio.Event()

    async def hold(event: asyncio.Event) -> None:
        async with slots.hold("a", on_place=lambda _: None):
            await event.wait()

    holder = asyncio.create_task(hold(may_end))  # noqa: TID251 - a test's own
    await asyncio.sleep(0)
    waiters = [asyncio.create_task(hold(may_end)) for _ in range(3)]  # noqa: TID251
    await asyncio.sleep(0)
    waiters[1].cancel()
    holder.cancel()
    await asyncio.sleep(0)
    waiters[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await holder
    may_end.set()
    await asyncio.gather(*waiters, return_exceptions=True)
    assert (slots.held, slots.waiting) == (0, 0)
    async with asyncio.timeout(20), slots.hold("b", on_place=lambda _: None):
        assert slots.held == 1
