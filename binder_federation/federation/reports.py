"""What members said last: load, checks, estimates; their images go to the locality store.

A report is believed about its own member only, and tells its load for half a minute.
Between two of them the load is estimated: launches that were sent there since are
added, sessions that are likely to have ended are taken off (`core/load.py`).

An agent reports to any replica. The one that took the report tells the others all
of it but the images, which they hear of as facts.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import structlog
from pydantic import ValidationError

from binder_federation.binder.messages import (
    PROTOCOL_VERSION,
    CheckRecord,
    EstimateRecord,
    LoadRecord,
    Report,
    ReportReply,
)
from binder_federation.binder.spec import ImageKey
from binder_federation.federation.core.load import estimate_load
from binder_federation.federation.core.snapshot import Load
from binder_federation.federation.locality.contract import LocalityStore
from binder_federation.federation.warm_servers import WarmServers

log = structlog.get_logger(__name__)

REPORT_LIFETIME_SECONDS = 30.0
IN_FLIGHT_SECONDS = 0.5
"""What was sent so shortly before a report came in may not be counted in it yet."""
COUNT_LIFETIME_SECONDS = 150.0
"""A BinderHub's pods are counted once a minute, and asked for once a minute while it is down."""

TellOthers = Callable[[str, bytes], None]
OnChange = Callable[[str], None]
OnReport = Callable[[Report, float], None]
"""Of this replica or another one; then without images."""


@dataclass(slots=True)
class _Known:
    session: str
    sequence: int
    received_at: float
    load: Load
    estimates: EstimateRecord
    checks: tuple[CheckRecord, ...]
    protocol: int
    is_draining: bool
    was_admitted: bool = True
    """Else its images were not looked at."""
    sent_since: deque[float] = field(default_factory=deque)
    lifetime_seconds: float = REPORT_LIFETIME_SECONDS


class Reports:
    """The last report of each member."""

    def __init__(
        self,
        *,
        store: LocalityStore,
        session_seconds: float,
        tell_others: TellOthers = lambda _member, _body: None,
        on_change: OnChange = lambda _member: None,
        on_load_change: OnChange = lambda _member: None,
        on_report: OnReport = lambda _report, _now: None,
        is_admitted: Callable[[str], bool] = lambda _member: True,
    ) -> None:
        """Of a member that `is_admitted` does not know yet, nothing goes any further: not its
        load, images or sessions, only what its checklist needs."""
        self._store = store
        self._session_seconds = session_seconds
        self._tell_others = tell_others
        self._on_change = on_change
        self._on_load_change = on_load_change
        self._on_report = on_report
        self._is_admitted = is_admitted
        self._known: dict[str, _Known] = {}
        self._refused: dict[str, str] = {}
        """Why a member's last report was refused, in a sentence."""
        self._warm = WarmServers()

    async def accept(self, report: Report, *, now: float) -> ReportReply:
        """Take a report in; ask for the whole inventory when changes alone do not add up."""
        self._refused.pop(report.member, None)
        if not self._is_admitted(report.member):
            self._keep(report, now)
            self._tell_others(report.member, _without_images(report))
            return ReportReply()
        if report.inventory == "whole":
            await self._store.replace_inventory(report.member, report.images, now=now)
        elif self._follows(report):
            await self._store.apply_changes(report.member, report.images, report.removed, now=now)
        else:
            return ReportReply(send_whole_inventory=True)
        self._keep(report, now)
        self._tell_others(report.member, _without_images(report))
        return ReportReply(send_whole_inventory=self._store.needs_whole_inventory(report.member))

    def note_refused(self, member: str, why: str) -> None:
        """A report of the member could not be taken. Its checks say so until the next one is."""
        if self._refused.get(member) != why:
            log.warning("report_refused", member=member, reason=why)
        self._refused[member] = why

    def forget(self, member: str) -> None:
        """It is no member any more."""
        self._refused.pop(member, None)

    def hear(self, body: bytes, *, now: float) -> None:
        """Take in what another replica tells of a report that came to it."""
        try:
            report = Report.model_validate_json(body)
        except ValidationError:
            log.warning("report_of_replica_unreadable")  # of another version of ours
            return
        self._keep(report, now)

    def keep_count(self, member: str, load: Load, *, sent_after: float, now: float) -> None:
        """The load of a member that does not report was found out.

        Launches that were sent there after `sent_after` may not be counted in it.
        """
        known = self._known.get(member)
        sent = known.sent_since if known else ()
        self._known[member] = _Known(
            session="",
            sequence=0,
            received_at=now,
            load=load,
            estimates=EstimateRecord(),
            checks=(),
            protocol=PROTOCOL_VERSION,
            is_draining=False,
            sent_since=deque(at for at in sent if at > sent_after),
            lifetime_seconds=COUNT_LIFETIME_SECONDS,
        )
        self._on_load_change(member)

    def note_sent(self, member: str, image: ImageKey, *, now: float) -> None:
        """A launch of `image` was sent to `member`: it is busier than its last report says."""
        self._warm.note_sent(member, image)
        if known := self._known.get(member):
            known.sent_since.append(now)
            self._on_load_change(member)

    def note_gone(self, member: str) -> None:
        """A launch that was sent to `member` failed there, and takes no place."""
        known = self._known.get(member)
        if known is not None and known.sent_since:
            known.sent_since.pop()
            self._on_load_change(member)

    def note_full(self, member: str) -> None:
        """`member` refused a launch for want of room: it has none until it reports again."""
        known = self._known.get(member)
        if known is not None:
            known.load = replace(known.load, pending=known.load.capacity)
            self._on_load_change(member)

    def warm(self, image: ImageKey) -> Mapping[str, int]:
        """The members where servers of the image wait, and how many."""
        return self._warm.at(image)

    def forget_old(self, *, now: float) -> None:
        """What warm servers there were at members that have said nothing for long."""
        for member in self._warm.members():
            if self._fresh(member, now) is None:
                self._warm.forget(member)

    def load(self, member: str, *, now: float) -> Load | None:
        """The member's load as it is likely to be now; None when not known, as of a member that was
        admitted since its last report."""
        known = self._fresh(member, now)
        if known is None or not known.was_admitted:
            return None
        return estimate_load(
            known.load,
            sent=len(known.sent_since),
            age_seconds=now - known.received_at,
            session_seconds=self._session_seconds,
        )

    def age_seconds(self, member: str, *, now: float) -> float | None:
        """How long ago the member's load was told or found out; None when it never was."""
        known = self._known.get(member)
        return None if known is None else max(0.0, now - known.received_at)

    def estimates(self, member: str) -> EstimateRecord:
        """Seconds that the member says it takes."""
        known = self._known.get(member)
        return known.estimates if known else EstimateRecord()

    def checks(self, member: str, *, now: float) -> tuple[CheckRecord, ...]:
        """The member's own checks."""
        known = self._fresh(member, now)
        checks = known.checks if known else ()
        if refused := self._refused.get(member):
            message = f"The last one was not taken: {refused}"[:500]
            return (*checks, CheckRecord(service="Reports", ok=False, message=message))
        return checks

    def is_draining(self, member: str) -> bool:
        """Whether the member's own institution drains it, by its last word."""
        known = self._known.get(member)
        return known is not None and known.is_draining

    def incompatibility(self, member: str) -> str:
        """Why the member's version does not fit ours; empty when it does, or is not known."""
        known = self._known.get(member)
        if known is None or known.protocol == PROTOCOL_VERSION:
            return ""
        return f"it speaks protocol {known.protocol}, this federation {PROTOCOL_VERSION}"

    def _follows(self, report: Report) -> bool:
        known = self._known.get(report.member)
        return (
            known is not None
            and known.was_admitted
            and known.session == report.session
            and report.sequence == known.sequence + 1
        )

    def _keep(self, report: Report, now: float) -> None:
        if not self._is_admitted(report.member):
            report = _of_a_stranger(report)
        before = self._known.get(report.member)
        self._known[report.member] = _Known(
            session=report.session,
            sequence=report.sequence,
            received_at=now,
            load=Load(**report.load.model_dump()),
            estimates=report.estimates,
            checks=report.checks,
            protocol=report.protocol,
            is_draining=report.draining,
            was_admitted=self._is_admitted(report.member),
            sent_since=_still_in_flight(before, report.load.pending, now),
        )
        self._warm.hear(report.member, report.warm)
        self._on_report(report, now)
        self._on_change(report.member)

    def _fresh(self, member: str, now: float) -> _Known | None:
        known = self._known.get(member)
        if known is None or now - known.received_at > known.lifetime_seconds:
            return None
        return known


def _without_images(report: Report) -> bytes:
    return report.model_dump_json(exclude={"images", "removed"}).encode()


def _of_a_stranger(report: Report) -> Report:
    """What a member that is not admitted yet may say: which protocol it speaks, how its checks are,
    and that it reports. Its first report after that begins anew."""
    return Report(
        protocol=report.protocol,
        member=report.member,
        session=report.session,
        sequence=report.sequence,
        load=LoadRecord(capacity=0),
        checks=report.checks,
        draining=report.draining,
        inventory="changes",
    )


def _still_in_flight(before: _Known | None, pending: int, now: float) -> deque[float]:
    """Launches that the member has not counted yet, although they were sent before it reported.

    Those of the last moment may be on their way. But where it tells of so many that are
    starting, they are these: counting them twice would make a burst fill a member.
    """
    recent = [at for at in before.sent_since if at > now - IN_FLIGHT_SECONDS] if before else []
    return deque(recent[min(pending, len(recent)) :])
