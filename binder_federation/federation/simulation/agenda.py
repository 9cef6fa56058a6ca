"""What is still to happen, in time order. At the same time, first come is first served."""

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf


class Agenda:
    """Actions with their times, as simulated seconds."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._count = 0
        self.next_at = inf
        """When the first of them is due."""

    def add(self, at: float, action: Callable[..., None], *arguments: object) -> None:
        """At `at`, call `action(*arguments, now=at)`."""
        self._count += 1
        heappush(self._heap, (at, self._count, action, arguments))
        self.next_at = self._heap[0][0]

    def run_first(self) -> None:
        """Do what is due first."""
        at, _, action, arguments = heappop(self._heap)
        self.next_at = self._heap[0][0] if self._heap else inf
        action(*arguments, now=at)
