"""Keeps what launches say of each member, for `outliers.py` to judge.

No I/O and no clock, but it changes: one record per member that is watched, and the
counts of all together, kept beside them so that a launch costs the same in a fleet
of a thousand.
"""

from collections.abc import Mapping

from binder_federation.config.federation import HealthSettings
from binder_federation.health.outliers import (
    Counts,
    Ejection,
    OutlierRecord,
    eject,
    find_ejection,
    is_doubtful,
    may_eject,
    observe_outcome,
    success_share,
)


class LaunchEvidence:
    """The outlier records of the members that are watched."""

    def __init__(self, settings: HealthSettings) -> None:
        self._settings = settings
        self._records: dict[str, OutlierRecord] = {}
        self._all = Counts()

    @property
    def records(self) -> Mapping[str, OutlierRecord]:
        """Every member's record."""
        return self._records

    def watch(self, name: str) -> None:
        """Begin with a member of which nothing is known."""
        self._records[name] = OutlierRecord()

    def forget(self, name: str, *, now: float) -> None:
        """Drop what is known of a member."""
        if name in self._records:
            self._all = self._others(name, now)
            del self._records[name]

    def observe(self, name: str, is_success: bool, *, now: float) -> None:
        """A launch at the member ended well, or failed for its sake."""
        settings = self._settings
        self._records[name] = observe_outcome(
            self._records[name], is_success, now=now, settings=settings
        )
        self._all = self._all.adding(
            is_success, now=now, memory_seconds=settings.success_memory_seconds
        )

    def find_ejection(self, name: str, *, now: float) -> Ejection | None:
        """Why the member is to be ejected, if it is."""
        others = self._others(name, now)
        return find_ejection(self._records[name], others, now=now, settings=self._settings)

    def may_eject(self, *, now: float) -> bool:
        """Whether one more may be out."""
        records = self._records.values()
        return may_eject(records, members=len(records), now=now, settings=self._settings)

    def eject(self, name: str, *, now: float) -> OutlierRecord:
        """Eject the member; its record says until when."""
        record = eject(self._records[name], now=now, settings=self._settings)
        self._records[name] = record
        return record

    def is_doubtful(self, name: str, *, was_doubtful: bool, now: float) -> bool:
        """Whether clearly more launches fail at the member than elsewhere."""
        record = self._records[name]
        if record.last_failure_at is None:
            return False  # nearly all members, nearly always
        others = self._others(name, now)
        return is_doubtful(
            record, others, was_doubtful=was_doubtful, now=now, settings=self._settings
        )

    def success_share(self, name: str, *, now: float) -> float:
        """The share of launches that are likely to go well at the member."""
        record = self._records.get(name)
        if record is None or record.last_failure_at is None:
            return 1.0
        return success_share(record, now=now, settings=self._settings)

    def _others(self, name: str, now: float) -> Counts:
        memory_seconds = self._settings.success_memory_seconds
        own = self._records[name].counts.at_time(now, memory_seconds=memory_seconds)
        return self._all.at_time(now, memory_seconds=memory_seconds).less(own)
