"""Outlier detection: what launches say of a member, and when that is enough to eject it.

    observe_outcome → record;  find_ejection(record, others) → a reason, or none;
    eject(record) → out for a while;  then slow start, where one failure ejects again

Only failures of the member itself are observed: neither a repository's build errors
nor refusals for want of room. The counts fade, so that a rate is one of the last
minutes. A rate is held against a member only where it is surely lower (Wilson's
interval at 95 %) than a share of the other members'; and a row of failures only
where the others mostly succeed: who fails when all fail is no outlier.

Each ejection takes longer than the one before, and staying well makes it forgotten:
so a flapping member is damped. `evidence.py` keeps the records.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from binder_federation.config.federation import HealthSettings

Z_95 = 1.96
EXPECTED_SUCCESSES = 10.0
"""What a member is given for free when its rate is a price: one failure alone, in a
quiet hour, is to cost it a tenth and not everything."""
OTHERS_MOSTLY_SUCCEED = 0.5


class Ejection(StrEnum):
    """Why a member is ejected; a metric's label."""

    FAILURES_IN_A_ROW = "failures_in_a_row"
    SUCCESS_RATE = "success_rate"
    FAILED_AGAIN = "failed_again"
    """In the slow start after the last ejection."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Launches that went well and failed, fading; `at` is the second they are worth this."""

    successes: float = 0.0
    failures: float = 0.0
    at: float = 0.0

    @property
    def launches(self) -> float:
        """All of them."""
        return self.successes + self.failures

    def at_time(self, now: float, *, memory_seconds: float) -> "Counts":
        """What they are worth at `now`; a clock that was set back changes nothing."""
        if now <= self.at:
            return self
        left = math.exp((self.at - now) / memory_seconds)
        return Counts(self.successes * left, self.failures * left, now)

    def adding(self, is_success: bool, *, now: float, memory_seconds: float) -> "Counts":
        """With one more outcome."""
        faded = self.at_time(now, memory_seconds=memory_seconds)
        return Counts(faded.successes + is_success, faded.failures + (not is_success), faded.at)

    def less(self, part: "Counts") -> "Counts":
        """Without `part`, which is of the same time."""
        successes, failures = self.successes - part.successes, self.failures - part.failures
        return Counts(max(0.0, successes), max(0.0, failures), self.at)


@dataclass(frozen=True, slots=True)
class OutlierRecord:
    """One member's launches and ejections."""

    counts: Counts = Counts()
    failures_in_a_row: int = 0
    last_failure_at: float | None = None
    times_ejected: int = 0
    ejected_until: float | None = None

    def is_ejected(self, now: float) -> bool:
        """Whether its last ejection is not over."""
        return self.ejected_until is not None and now < self.ejected_until


def observe_outcome(
    record: OutlierRecord, is_success: bool, *, now: float, settings: HealthSettings
) -> OutlierRecord:
    """The record after a launch ended well, or failed for the member's sake."""
    counts = record.counts.adding(
        is_success, now=now, memory_seconds=settings.success_memory_seconds
    )
    if is_success:
        return replace(record, counts=counts, failures_in_a_row=0)
    # What fails while the member is out began before: that it was bad is known already.
    in_a_row = record.failures_in_a_row + (not record.is_ejected(now))
    return replace(record, counts=counts, failures_in_a_row=in_a_row, last_failure_at=now)


def find_ejection(
    record: OutlierRecord, others: Counts, *, now: float, settings: HealthSettings
) -> Ejection | None:
    """Why the member is to be ejected after its last outcome; `others` are all other members'."""
    if record.failures_in_a_row == 0 or record.is_ejected(now):
        return None
    expected = _expected_share(others, now=now, settings=settings)
    if expected >= OTHERS_MOSTLY_SUCCEED:
        if _is_on_probation(record, now=now, settings=settings):
            return Ejection.FAILED_AGAIN
        if record.failures_in_a_row >= settings.failures_to_eject:
            return Ejection.FAILURES_IN_A_ROW
    is_low = _best_share(record, now=now, settings=settings) < settings.eject_below * expected
    return Ejection.SUCCESS_RATE if is_low else None


def may_eject(
    records: Iterable[OutlierRecord], *, members: int, now: float, settings: HealthSettings
) -> bool:
    """Whether one more of so many `members` may be ejected."""
    ejected = sum(record.is_ejected(now) for record in records)
    return ejected + 1 <= settings.eject_most * members


def eject(record: OutlierRecord, *, now: float, settings: HealthSettings) -> OutlierRecord:
    """The record of a member that is ejected now: for longer, the more often it was lately."""
    times = _times_remembered(record, now=now, settings=settings) + 1
    seconds = min(times * settings.eject_seconds, settings.eject_max_seconds)
    return replace(record, times_ejected=times, ejected_until=now + seconds, failures_in_a_row=0)


def is_doubtful(
    record: OutlierRecord,
    others: Counts,
    *,
    was_doubtful: bool,
    now: float,
    settings: HealthSettings,
) -> bool:
    """Whether clearly more launches fail here than elsewhere; ended only by clearly fewer."""
    counts = _now(record.counts, now=now, settings=settings)
    if not was_doubtful and counts.launches < settings.degrade_least_launches:
        return False
    share = settings.degrade_below
    threshold = (1.0 + share) / 2 if was_doubtful else share
    expected = _expected_share(others, now=now, settings=settings)
    return wilson_upper(counts.successes, counts.launches) < threshold * expected


def success_share(record: OutlierRecord, *, now: float, settings: HealthSettings) -> float:
    """The share of launches that are likely to go well here: 1 without any failure."""
    counts = _now(record.counts, now=now, settings=settings)
    return (counts.successes + EXPECTED_SUCCESSES) / (counts.launches + EXPECTED_SUCCESSES)


def wilson_upper(successes: float, launches: float) -> float:
    """The upper bound of Wilson's score interval (1927) for a rate, at 95 %."""
    if launches <= 0:
        return 1.0
    share, z2 = successes / launches, Z_95 * Z_95
    centre = share + z2 / (2 * launches)
    margin = Z_95 * math.sqrt(share * (1 - share) / launches + z2 / (4 * launches * launches))
    return min(1.0, (centre + margin) / (1 + z2 / launches))


def _best_share(record: OutlierRecord, *, now: float, settings: HealthSettings) -> float:
    counts = _now(record.counts, now=now, settings=settings)
    return wilson_upper(counts.successes, counts.launches)


def _expected_share(others: Counts, *, now: float, settings: HealthSettings) -> float:
    """The other members' success rate; they are believed to be well until they show."""
    counts = _now(others, now=now, settings=settings)
    return (counts.successes + 1.0) / (counts.launches + 1.0)


def _is_on_probation(record: OutlierRecord, *, now: float, settings: HealthSettings) -> bool:
    ended = record.ejected_until
    return ended is not None and now - ended < settings.eject_ramp_seconds


def _times_remembered(record: OutlierRecord, *, now: float, settings: HealthSettings) -> int:
    if record.ejected_until is None:
        return 0
    well_seconds = max(0.0, now - record.ejected_until)
    most = math.ceil(settings.eject_max_seconds / settings.eject_seconds)
    times = min(record.times_ejected, most)  # more would only take longer to be forgotten
    return max(0, times - int(well_seconds // settings.eject_forget_seconds))


def _now(counts: Counts, *, now: float, settings: HealthSettings) -> Counts:
    return counts.at_time(now, memory_seconds=settings.success_memory_seconds)
