"""Spans of time that launches are counted over, and the slots that make them up.

A span of slots ends with the present, unfinished one and has one more than it needs, so
"the last hour" is 60 to 65 minutes. Slots of days are those of UTC.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """So many slots of so many seconds."""

    slot_seconds: int
    slots: int

    def present(self, now: float) -> int:
        """The number of the slot that `now` is in."""
        return int(now // self.slot_seconds)

    def numbers(self, now: float) -> range:
        """The slots of the span that ends now."""
        last = self.present(now)
        return range(last - self.slots + 1, last + 1)

    @property
    def lifetime_seconds(self) -> int:
        """How long a slot is needed after its last write."""
        return self.slot_seconds * (self.slots + 2)


HOUR = Span(slot_seconds=300, slots=13)
DAY = Span(slot_seconds=3600, slots=25)
QUARTER = Span(slot_seconds=86_400, slots=90)
SPANS = (HOUR, DAY, QUARTER)
