"""Who is next: a queue that is fair between groups, not between entries.

A group is a repository. The next place goes to the group that has the fewest
places now, among equals to the one that was served longest ago, and inside a
group to whoever came first (the lowest id). So a repository with sixty requests waits behind its
own, and not everybody else behind it (mybinder.org, 2019-03-24).
"""

import heapq
from collections import deque


class FairQueue:
    """Entries that wait for one of `slots` places. Entries are plain integers (ids).

    `most_per_group` bounds the places of one group, so that a flood from one
    repository leaves something for the next that comes.
    """

    def __init__(self, *, slots: int, most_per_group: int) -> None:
        self._slots = slots
        self._most_per_group = most_per_group
        self._waiting: dict[str, deque[int]] = {}
        self._held: dict[str, int] = {}
        self._last_served: dict[str, int] = {}
        self._served = 0

    @property
    def held(self) -> int:
        """Places taken."""
        return sum(self._held.values())

    @property
    def waiting(self) -> int:
        """Entries in the queue."""
        return sum(len(entries) for entries in self._waiting.values())

    def push(self, group: str, entry: int) -> None:
        """`entry` of `group` waits from now on."""
        self._waiting.setdefault(group, deque()).append(entry)

    def withdraw(self, group: str, entry: int) -> None:
        """`entry` waits no longer."""
        entries = self._waiting.get(group)
        if entries is not None and entry in entries:
            entries.remove(entry)
            self._forget_if_idle(group)

    def take_next(self) -> int | None:
        """The entry that gets a place now; None when none is free or nobody may have it."""
        if self.held >= self._slots:
            return None
        candidates = [
            name for name in self._waiting if self._held.get(name, 0) < self._most_per_group
        ]
        if not candidates:
            return None
        group = min(candidates, key=self._need)
        entry = self._waiting[group].popleft()
        if not self._waiting[group]:
            del self._waiting[group]
        self._held[group] = self._held.get(group, 0) + 1
        self._served += 1
        self._last_served[group] = self._served
        return entry

    def give_back(self, group: str) -> None:
        """One place of `group` is free again."""
        self._held[group] -= 1
        if not self._held[group]:
            del self._held[group]
        self._forget_if_idle(group)

    def places(self) -> dict[int, int]:
        """Entry → its place in the line, 1 for the next one, if nobody else comes.

        Served in turn, as `take_next` would with every place given back in between.
        """
        left = {group: deque(entries) for group, entries in self._waiting.items()}
        turns = [(self._need(group), group) for group in left]
        heapq.heapify(turns)
        order: dict[int, int] = {}
        while turns:
            (held, _, entry), group = heapq.heappop(turns)
            order[entry] = len(order) + 1
            left[group].popleft()
            if left[group]:
                need = (held + 1, self._served + len(order), left[group][0])
                heapq.heappush(turns, (need, group))
        return order

    def _need(self, group: str) -> tuple[int, int, int]:
        """The least is served next: few places, served long ago, here first."""
        first = self._waiting[group][0]
        return self._held.get(group, 0), self._last_served.get(group, 0), first

    def _forget_if_idle(self, group: str) -> None:
        if not self._waiting.get(group):
            self._waiting.pop(group, None)
            if group not in self._held:
                self._last_served.pop(group, None)
