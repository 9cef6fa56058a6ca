"""A member's last 90 days as a bar: runs of days of one level, and the same in words. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from binder_federation.federation.history.episodes import (
    Episode,
    EpisodeKind,
    MemberRecord,
    seconds_within,
)
from binder_federation.federation.status.words import duration, share

DAYS = 90
DAY_SECONDS = 86_400
MUCH_SECONDS = 3600.0
"""A day with so much of an incident is a bad one, any less a fair one."""


@dataclass(frozen=True, slots=True)
class Run:
    """So many days of one level, from the day `first` on (0 is the oldest)."""

    first: int
    days: int
    level: str


@dataclass(frozen=True, slots=True)
class Days:
    """The last 90 days, the present one included. Days are UTC's."""

    runs: Sequence[Run]
    incidents: int
    out_seconds: float
    well_share: float | None
    """Of the time that it is known for; None where that is nothing."""
    known_days: int

    @property
    def text(self) -> str:
        """What the bar says."""
        if self.well_share is None:
            return "Nothing is known of the days before."
        span = "Today" if self.known_days <= 1 else f"The last {self.known_days} days"
        if not self.incidents:
            return f"{span}: no incidents."
        plural = "s" if self.incidents > 1 else ""
        out = duration(self.out_seconds)
        well = f"well {share(self.well_share)} of the time"
        return f"{span}: {self.incidents} incident{plural}, {out} in all; {well}."


def days_of(record: MemberRecord | None, *, now: float) -> Days:
    """The days of a member."""
    if record is not None and not record.episodes:
        return _quiet_days(record.tracked_since, now=now)
    today = int(now // DAY_SECONDS)
    begin = (today - DAYS + 1) * DAY_SECONDS
    if record is None:
        return Days((Run(0, DAYS, "none"),), 0, 0.0, None, 0)
    incidents = [e for e in record.episodes if e.kind is EpisodeKind.INCIDENT]
    maintenance = [e for e in record.episodes if e.kind is EpisodeKind.MAINTENANCE]
    levels = [
        _level(begin + i * DAY_SECONDS, record.tracked_since, incidents, maintenance, now=now)
        for i in range(DAYS)
    ]
    known = max(float(begin), record.tracked_since)
    out_seconds = seconds_within(incidents, known, now, now=now)
    tracked = now - known
    seen = [e for e in incidents if e.is_open or (e.ended_at or 0) >= begin]
    return Days(
        runs=tuple(_runs(levels)),
        incidents=len(seen),
        out_seconds=out_seconds,
        well_share=1 - out_seconds / tracked if tracked > 0 else 1.0,
        known_days=DAYS - sum(level == "none" for level in levels),
    )


def _quiet_days(tracked_since: float, *, now: float) -> Days:
    """Those of most members: nothing happened."""
    days = int(now // DAY_SECONDS) - int(tracked_since // DAY_SECONDS) + 1
    known = max(1, min(DAYS, days))
    before = [Run(0, DAYS - known, "none")] if known < DAYS else []
    return Days((*before, Run(DAYS - known, known, "good")), 0, 0.0, 1.0, known)


def _level(
    begin: float,
    tracked_since: float,
    incidents: Sequence[Episode],
    maintenance: Sequence[Episode],
    *,
    now: float,
) -> str:
    end = begin + DAY_SECONDS
    out = seconds_within(incidents, begin, end, now=now)
    if out:
        goes_on = end > now and any(episode.is_open for episode in incidents)
        return "bad" if goes_on or out >= MUCH_SECONDS else "fair"
    if seconds_within(maintenance, begin, end, now=now):
        return "paused"
    return "none" if end <= tracked_since else "good"


def _runs(levels: Sequence[str]) -> list[Run]:
    runs: list[Run] = []
    for level, days in groupby(levels):
        first = runs[-1].first + runs[-1].days if runs else 0
        runs.append(Run(first, len(list(days)), level))
    return runs
