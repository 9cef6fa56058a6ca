"""Launches counted over the last hour, day and 90 days, by all replicas together.

A launch is counted where it ended, into the present slot of each span; every few seconds
that goes to the store and the present slots come back. Slots that are over for a while do
not change any more and are read once. What could not be sent waits.
"""

from collections import Counter
from collections.abc import Mapping

from binder_federation.federation.history.launch_counts import (
    Count,
    EndedLaunch,
    Sums,
    count,
    sums_by_member,
)
from binder_federation.federation.history.spans import SPANS, Span
from binder_federation.federation.history.tally_store import Slot, TallyStore
from binder_federation.federation.shared.connection import RedisUnavailable

SETTLED_AFTER_SECONDS = 120.0
"""By then every replica has sent what it counted in a slot that is over."""


class Tallies:
    """Counts by slot: what is known of all replicas, and what is ours and not sent yet."""

    def __init__(self, *, store: TallyStore) -> None:
        self._store = store
        self._known: dict[Slot, Counter[Count]] = {}
        self._settled: set[Slot] = set()
        self._unsent: dict[Slot, Counter[Count]] = {}
        self._totals: dict[Span, tuple[tuple[Slot, ...], Counter[Count]]] = {}
        """Of the slots that do not change any more: there are many, and they are asked often."""

    def note(self, launch: EndedLaunch, *, now: float) -> None:
        """A launch of this replica ended."""
        added = count(launch)
        target = self._unsent if self._store.is_shared else self._known
        for span in SPANS:
            target.setdefault(_present(span, now), Counter()).update(added)

    async def turn(self, *, now: float) -> None:
        """Send what was counted here, and hear what was counted everywhere."""
        self._forget_old(now)
        try:
            await self._send()
            await self._read(now)
        except RedisUnavailable:
            pass  # it is sent, and read, with a later turn

    def sums(self, span: Span, *, now: float) -> Mapping[str, Sums]:
        """Launches of the span that ends now, by member."""
        slots = [(span.slot_seconds, number) for number in span.numbers(now)]
        over = tuple(slot for slot in slots if slot in self._settled)
        rest = [slot for slot in slots if slot not in self._settled]
        young = (self._known.get(slot) for slot in rest)
        ours = (self._unsent.get(slot) for slot in slots)
        return sums_by_member(
            each for each in (self._total(span, over), *young, *ours) if each is not None
        )

    def _total(self, span: Span, slots: tuple[Slot, ...]) -> Counter[Count]:
        cached = self._totals.get(span)
        if cached is not None and cached[0] == slots:
            return cached[1]
        total: Counter[Count] = Counter()
        for slot in slots:
            total.update(self._known.get(slot, {}))
        self._totals[span] = (slots, total)
        return total

    async def _send(self) -> None:
        sending, self._unsent = self._unsent, {}
        if not sending:
            return
        lifetimes = {span.slot_seconds: span.lifetime_seconds for span in SPANS}
        try:
            await self._store.add(sending, lifetimes)
        except RedisUnavailable:
            for slot, counts in sending.items():
                self._unsent.setdefault(slot, Counter()).update(counts)
            raise
        for slot, counts in sending.items():  # until they are read with all others'
            self._known.setdefault(slot, Counter()).update(counts)
        self._settled -= sending.keys()  # what came late is read again

    async def _read(self, now: float) -> None:
        wanted = [
            (span.slot_seconds, number)
            for span in SPANS
            for number in span.numbers(now)
            if (span.slot_seconds, number) not in self._settled
        ]
        self._known |= await self._store.read(wanted)
        self._settled |= {
            slot for slot in wanted if now > (slot[1] + 1) * slot[0] + SETTLED_AFTER_SECONDS
        }

    def _forget_old(self, now: float) -> None:
        kept = {(span.slot_seconds, number) for span in SPANS for number in span.numbers(now)}
        for counts in (self._known, self._unsent):
            for slot in counts.keys() - kept:
                del counts[slot]
        self._settled &= kept


def _present(span: Span, now: float) -> Slot:
    return span.slot_seconds, span.present(now)
