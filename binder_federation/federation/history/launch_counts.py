"""Which numbers a launch that ended adds to, and what sums of them say. Pure.

A launch counts at the member that it ended at, or that failed it last. Its *first attempt*
counts at the member that was tried first: whether the visitor got a notebook there without
going on elsewhere. Launches that failed for the repository's or the link's sake, or that
nobody waited for, say nothing of a member's first attempts and are left out of that share.

Seconds to ready are counted in slots that grow by a fifth, so that counts of replicas add
up and a median can be read from them, 10 % to either side.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

LAUNCHES = "launches"
READY = "ready"
FIRST = "first"
FIRST_READY = "first_ready"
SECONDS = "t"
GROWTH = 1.2
MOST_SLOTS = 45
"""The last one begins at an hour."""

Count = tuple[str, str]
"""A member's name (empty: none) and what is counted."""


@dataclass(frozen=True, slots=True)
class EndedLaunch:
    """How one launch ended."""

    member: str
    """Where it ended, or failed last; empty when no member was tried."""
    first_member: str
    is_ready: bool
    says_nothing: bool = False
    """It failed for the repository's or the link's sake, or nobody waited for it."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Sums:
    """Launches of one member, or of all, in some time."""

    launches: int = 0
    ready: int = 0
    first: int = 0
    first_ready: int = 0
    by_slot: Mapping[int, int] = field(default_factory=dict)

    @property
    def first_attempt_share(self) -> float | None:
        """The share of first attempts that ended with a notebook; None without any."""
        return self.first_ready / self.first if self.first else None

    @property
    def median_seconds(self) -> float | None:
        """Seconds from the request to ready; None without any."""
        total = sum(self.by_slot.values())
        passed = 0
        for slot in sorted(self.by_slot):
            passed += self.by_slot[slot]
            if passed * 2 >= total > 0:
                return slot_seconds(slot)
        return None


def count(launch: EndedLaunch) -> Counter[Count]:
    """What the launch adds."""
    added: Counter[Count] = Counter({(launch.member, LAUNCHES): 1})
    if launch.is_ready:
        added[launch.member, READY] += 1
        added[launch.member, f"{SECONDS}{slot_of(launch.seconds)}"] += 1
    if launch.first_member and not launch.says_nothing:
        added[launch.first_member, FIRST] += 1
        if launch.is_ready and launch.first_member == launch.member:
            added[launch.first_member, FIRST_READY] += 1
    return added


def sums_by_member(counts: Iterable[Mapping[Count, int]]) -> dict[str, Sums]:
    """The sums of several slots of time, by member; those of no member under ""."""
    totals: Counter[Count] = Counter()
    for each in counts:
        totals.update(each)
    numbers: dict[str, Counter[str]] = {}
    for (member, what), number in totals.items():
        numbers.setdefault(member, Counter())[what] += number
    return {member: _sums(each) for member, each in numbers.items()}


def add_up(sums: Iterable[Sums]) -> Sums:
    """All of them together."""
    parts = list(sums)
    by_slot: Counter[int] = Counter()
    for part in parts:
        by_slot.update(part.by_slot)
    return Sums(
        launches=sum(part.launches for part in parts),
        ready=sum(part.ready for part in parts),
        first=sum(part.first for part in parts),
        first_ready=sum(part.first_ready for part in parts),
        by_slot=by_slot,
    )


def slot_of(seconds: float) -> int:
    """The slot that so many seconds fall into."""
    return min(MOST_SLOTS, max(0, round(math.log(max(1.0, seconds), GROWTH))))


def slot_seconds(slot: int) -> float:
    """Seconds in the middle of the slot."""
    return float(GROWTH**slot)


def _sums(numbers: Mapping[str, int]) -> Sums:
    return Sums(
        launches=numbers.get(LAUNCHES, 0),
        ready=numbers.get(READY, 0),
        first=numbers.get(FIRST, 0),
        first_ready=numbers.get(FIRST_READY, 0),
        by_slot={
            int(what[len(SECONDS) :]): number
            for what, number in numbers.items()
            if what.startswith(SECONDS) and what[len(SECONDS) :].isdigit()
        },
    )
