"""How often one member may report, and how much: a flood holds nobody else up.

A token bucket for each member, in reports and in bytes. An agent reports every three seconds, and
at once after a change, ten times a second at most; a whole inventory of 10,000 images is some
2 MB. Who sends more is told to wait, and the report is not read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from binder_federation.runtime.errors import Fault, ServiceError

REPORTS_A_SECOND = 10.0
MOST_REPORTS_AT_ONCE = 60.0
BYTES_A_SECOND = 1 << 20
MOST_BYTES_AT_ONCE = 16 << 20
RETRY_SECONDS = 5.0


class ReportsTooOften(ServiceError):
    """The member reports more often, or more, than is taken."""

    code: ClassVar[str] = "too_many_reports"
    status: ClassVar[int] = 429
    fault: ClassVar[Fault] = Fault.REQUEST
    retryable: ClassVar[bool] = True


@dataclass(slots=True)
class _Bucket:
    reports: float
    size: float
    at: float


class ReportRates:
    """The buckets of all members."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def check(self, member: str, size: int) -> None:
        """Take one report of `size` bytes. Raises `ReportsTooOften`; then nothing is taken."""
        now = self._clock()
        bucket = self._buckets.setdefault(
            member, _Bucket(MOST_REPORTS_AT_ONCE, MOST_BYTES_AT_ONCE, now)
        )
        passed = max(0.0, now - bucket.at)
        bucket.at = now
        bucket.reports = min(MOST_REPORTS_AT_ONCE, bucket.reports + passed * REPORTS_A_SECOND)
        bucket.size = min(MOST_BYTES_AT_ONCE, bucket.size + passed * BYTES_A_SECOND)
        if bucket.reports < 1 or bucket.size < size:
            raise ReportsTooOften(
                f"{member} reports more often, or more, than this federation takes.",
                advice="Report every few seconds, and the whole inventory only when asked for it.",
                retry_after_seconds=RETRY_SECONDS,
            )
        bucket.reports -= 1
        bucket.size -= size

    def forget(self, member: str) -> None:
        """It is no member any more."""
        self._buckets.pop(member, None)
