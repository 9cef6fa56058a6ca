"""What members said last: load, checks, images.

A report is believed about its own member only. Its load is worth something for
half a minute; launches that were sent there since are counted on top.
"""

from collections import deque
from dataclasses import dataclass, field

from binder_federation.binder.messages import (
    PROTOCOL_VERSION,
    CheckRecord,
    EstimateRecord,
    LoadRecord,
    Report,
    ReportReply,
)
from binder_federation.federation.locality.contract import LocalityStore

REPORT_LIFETIME_SECONDS = 30.0


@dataclass(slots=True)
class _Known:
    session: str
    sequence: int
    received_at: float
    load: LoadRecord
    estimates: EstimateRecord
    checks: tuple[CheckRecord, ...]
    protocol: int
    sent_since: deque[float] = field(default_factory=deque)


class Reports:
    """The last report of each member."""

    def __init__(self, *, store: LocalityStore) -> None:
        self._store = store
        self._known: dict[str, _Known] = {}

    async def accept(self, report: Report, *, now: float) -> ReportReply:
        """Take a report in; ask for the whole inventory when changes alone do not add up."""
        known = self._known.get(report.member)
        follows = (
            known is not None
            and known.session == report.session
            and report.sequence == known.sequence + 1
        )
        if report.inventory == "whole":
            await self._store.replace_inventory(report.member, report.images, now=now)
        elif follows:
            await self._store.apply_changes(report.member, report.images, report.removed, now=now)
        else:
            return ReportReply(send_whole_inventory=True)
        self._known[report.member] = _Known(
            session=report.session,
            sequence=report.sequence,
            received_at=now,
            load=report.load,
            estimates=report.estimates,
            checks=report.checks,
            protocol=report.protocol,
        )
        return ReportReply()

    def note_sent(self, member: str, *, now: float) -> None:
        """A launch was sent to `member`: it is busier than its last report says."""
        if known := self._known.get(member):
            known.sent_since.append(now)

    def load(self, member: str, *, now: float) -> LoadRecord | None:
        """The member's load, with what was sent there since; None when not known."""
        known = self._fresh(member, now)
        if known is None:
            return None
        pending = known.load.pending + len(known.sent_since)
        return known.load.model_copy(update={"pending": pending})

    def estimates(self, member: str) -> EstimateRecord:
        """Seconds that the member says it takes."""
        known = self._known.get(member)
        return known.estimates if known else EstimateRecord()

    def checks(self, member: str, *, now: float) -> tuple[CheckRecord, ...]:
        """The member's own checks."""
        known = self._fresh(member, now)
        return known.checks if known else ()

    def incompatibility(self, member: str) -> str:
        """Why the member's version does not fit ours; empty when it does, or is not known."""
        known = self._known.get(member)
        if known is None or known.protocol == PROTOCOL_VERSION:
            return ""
        return f"it speaks protocol {known.protocol}, this federation {PROTOCOL_VERSION}"

    def _fresh(self, member: str, now: float) -> _Known | None:
        known = self._known.get(member)
        if known is None or now - known.received_at > REPORT_LIFETIME_SECONDS:
            return None
        return known
