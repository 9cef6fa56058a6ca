"""No report is taken twice: each agent counts its reports, and starts with a session of its own.

Of each member the last session is known with its last number, and for a while the sessions
before it. All replicas hear of each report that one of them took. A signature is good for a
minute only, so what is older need not be remembered; and an agent of before, that goes on
while another one reports as the same member, is refused for as long as both do.
"""

from dataclasses import dataclass, field

from binder_federation.binder.messages import Report
from binder_federation.federation.joining.errors import ReportReplayed

FORGET_SECONDS = 180.0


@dataclass(slots=True)
class _Last:
    session: str
    sequence: int
    before: dict[str, float] = field(default_factory=dict)
    """Earlier sessions, and when each was last heard of."""


class ReplayGuard:
    """What was taken, by member."""

    def __init__(self) -> None:
        self._last: dict[str, _Last] = {}

    def check(self, report: Report, *, now: float) -> None:
        """Raises `ReportReplayed` for a report that is not after the last one."""
        last = self._last.get(report.member)
        if last is None:
            return
        if report.session == last.session:
            if report.sequence <= last.sequence:
                raise ReportReplayed(f"Report {report.sequence} of {report.member} was taken.")
            return
        if now - last.before.get(report.session, float("-inf")) < FORGET_SECONDS:
            last.before[report.session] = now
            raise ReportReplayed(
                f"Another agent has begun to report as {report.member} since.",
                advice="Stop one of them: a member has one agent.",
            )

    def note(self, report: Report, *, now: float) -> None:
        """The report was taken, by this replica or another one."""
        last = self._last.get(report.member)
        if last is None:
            self._last[report.member] = _Last(report.session, report.sequence)
        elif report.session == last.session:
            last.sequence = max(last.sequence, report.sequence)
        elif report.session not in last.before:
            _forget_old(last, now)
            last.before[last.session] = now
            last.session, last.sequence = report.session, report.sequence
        else:
            self._return(last, report, now)

    def forget(self, member: str) -> None:
        """It is no member any more."""
        self._last.pop(member, None)

    def _return(self, last: _Last, report: Report, now: float) -> None:
        """A session of before: late news of another replica's, or an agent that is alone again."""
        if now - last.before[report.session] >= FORGET_SECONDS:
            del last.before[report.session]
            last.before[last.session] = now
            last.session, last.sequence = report.session, report.sequence


def _forget_old(last: _Last, now: float) -> None:
    for session in [each for each, at in last.before.items() if now - at >= FORGET_SECONDS]:
        del last.before[session]
