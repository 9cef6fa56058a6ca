"""Images whose warm servers did not start are left alone for a while, and then for longer."""

from collections import Counter
from collections.abc import Hashable

FIRST_SECONDS = 30.0
LONGEST_SECONDS = 900.0


class Pauses:
    """What is not tried again just yet, and until when."""

    def __init__(self) -> None:
        self._failures: Counter[Hashable] = Counter()
        self._until: dict[Hashable, float] = {}

    def failed(self, what: Hashable, *, now: float) -> None:
        """It failed: each failure in a row doubles the pause."""
        self._failures[what] += 1
        pause = FIRST_SECONDS * 2.0 ** min(10, self._failures[what] - 1)
        self._until[what] = now + min(LONGEST_SECONDS, pause)

    def succeeded(self, what: Hashable) -> None:
        """It went well: nothing is remembered."""
        self._failures.pop(what, None)
        self._until.pop(what, None)

    def is_paused(self, what: Hashable, *, now: float) -> bool:
        """Whether it is to be left alone now."""
        return now < self._until.get(what, now)
