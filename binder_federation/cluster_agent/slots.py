"""A limited number of places, handed out fairly: builds at once, servers that start at once.

The order is `core.fair_queue`'s. Whoever waits is told its place in the line each
time that changes; a waiter who is cancelled leaves the line.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from binder_federation.cluster_agent.core.fair_queue import FairQueue

PlaceListener = Callable[[int], None]
"""Called with the place in the line, 1 for the next one."""


@dataclass(slots=True)
class _Waiter:
    group: str
    granted: asyncio.Future[None]
    on_place: PlaceListener
    place: int = 0


class FairSlots:
    """`slots` places; one group (a repository) has at most `most_per_group` of them."""

    def __init__(self, *, slots: int, most_per_group: int | None = None) -> None:
        self._queue = FairQueue(slots=slots, most_per_group=most_per_group or slots)
        self._waiters: dict[int, _Waiter] = {}
        self._numbers = itertools.count()

    @property
    def held(self) -> int:
        """Places taken now."""
        return self._queue.held

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return self._queue.waiting

    @asynccontextmanager
    async def hold(self, group: str, *, on_place: PlaceListener) -> AsyncIterator[None]:
        """Wait for a place, hold it for the block's time. The caller sets the deadline."""
        number = next(self._numbers)
        waiter = _Waiter(group, asyncio.get_running_loop().create_future(), on_place)
        self._waiters[number] = waiter
        self._queue.push(group, number)
        self._hand_out()
        try:
            await waiter.granted
        except asyncio.CancelledError:
            self._leave(number, waiter)
            raise
        try:
            yield
        finally:
            self._queue.give_back(group)
            self._hand_out()

    def _leave(self, number: int, waiter: _Waiter) -> None:
        # A place can have been granted in the very moment of the cancellation.
        if number in self._waiters:
            del self._waiters[number]
            self._queue.withdraw(waiter.group, number)
        elif waiter.granted.done() and not waiter.granted.cancelled():
            self._queue.give_back(waiter.group)
        self._hand_out()

    def _hand_out(self) -> None:
        while (number := self._queue.take_next()) is not None:
            waiter = self._waiters.pop(number)
            if waiter.granted.cancelled():
                self._queue.give_back(waiter.group)  # it is about to leave the line
            else:
                waiter.granted.set_result(None)
        for number, place in self._queue.places().items():
            waiter = self._waiters[number]
            if _is_news(waiter.place, place):
                waiter.place = place
                waiter.on_place(place)


def _is_news(told: int, place: int) -> bool:
    """Far back in a long line, only every tenth step is told."""
    return place != told and (told == 0 or place <= 20 or told - place >= 10)
