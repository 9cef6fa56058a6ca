"""What happened, counted: of each launch its seconds and where they went."""

from array import array
from collections import Counter
from enum import StrEnum

HOUR_SECONDS = 3600.0
NOT_READY = -1.0


class Loss(StrEnum):
    """Why a launch took longer than the bound says it must."""

    RETRIES = "retries"
    """Refused by full members, or sent to one that was lost."""
    QUEUE = "queue"
    """Its build had to wait for a build slot."""
    FIRST_BUILD = "first_build"
    """The image's first build took longer than the bound's: no rebuild where it could be one."""
    DUPLICATE_BUILD = "duplicate_build"
    """It waited for a build of an image that was, or was being, built already."""
    PULL_AFTER_BUILD = "pull_after_build"
    """Of a duplicate build, or of a first one that should have been a rebuild."""
    PULL = "pull"
    """The image was in a registry, and not on the member's machines."""
    LOAD = "load"
    """Its server took longer to start at a busy member."""


class Tally:
    """Counts of one run. Launches before `from_seconds` are the warm-up, and not counted."""

    def __init__(self, launches: int, *, from_seconds: float) -> None:
        self.from_seconds = from_seconds
        self.seconds = array("d", [NOT_READY]) * launches
        """Of each launch from its request to ready; -1 where it was refused."""
        self.placed = array("b", [-1]) * launches
        """The index of the member where it became ready."""
        self.lost_seconds: dict[Loss, float] = dict.fromkeys(Loss, 0.0)
        self.counts: Counter[str] = Counter()
        self.duplicate_reasons: Counter[str] = Counter()
        self.spread: list[float] = []
        """Of each sample: the greatest used share, as a multiple of the mean one."""
        self.samples: list[tuple[float, float, float]] = []
        """Time, mean and greatest used share."""
        self.builds_at: list[float] = []
        """When builds came into line, in the warm-up too."""

    def count(self, what: str, now: float) -> None:
        """One more of something, unless it is the warm-up."""
        if now >= self.from_seconds:
            self.counts[what] += 1

    def count_build(self, now: float, *, is_duplicate: bool, is_copy: bool) -> None:
        """A build started."""
        self.builds_at.append(now)
        if now >= self.from_seconds:
            self.counts["builds"] += 1
            self.counts["duplicates"] += is_duplicate
            self.counts["copies"] += is_copy

    def count_duplicate(self, reason: str, now: float) -> None:
        """Why a launch started a build of an image that was built already."""
        if now >= self.from_seconds:
            self.duplicate_reasons[reason] += 1

    def lose(self, loss: Loss, seconds: float) -> None:
        """A launch that counts took longer."""
        self.lost_seconds[loss] += seconds

    def sample(self, now: float, used_shares: list[float]) -> None:
        """How busy the members are."""
        mean, most = sum(used_shares) / len(used_shares), max(used_shares)
        self.samples.append((now, mean, most))
        if now >= self.from_seconds and mean > 0:
            self.spread.append(most / mean)
