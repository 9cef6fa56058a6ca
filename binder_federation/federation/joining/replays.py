"""No report is taken twice: each agent counts its reports, and starts with a session of its own.

Of each session the last number is known for a while. A signature is good for a minute only,
so what is older need not be remembered. A member with several agents (one hub, several
replicas) has several sessions at once. All replicas of the federation hear of each report
that one of them took.
"""

from dataclasses import dataclass

from binder_federation.binder.messages import Report
from binder_federation.federation.joining.errors import ReportReplayed

FORGET_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class _Last:
    sequence: int
    heard_at: float


class ReplayGuard:
    """What was taken, by member and session."""

    def __init__(self) -> None:
        self._taken: dict[str, dict[str, _Last]] = {}

    def check(self, report: Report, *, now: float) -> None:
        """Raises `ReportReplayed` for a report that is not after its session's last one."""
        last = self._taken.get(report.member, {}).get(report.session)
        is_known = last is not None and now - last.heard_at < FORGET_SECONDS
        if last is not None and is_known and report.sequence <= last.sequence:
            raise ReportReplayed(f"Report {report.sequence} of {report.member} was taken.")

    def note(self, report: Report, *, now: float) -> None:
        """The report was taken, by this replica or another one."""
        sessions = self._taken.setdefault(report.member, {})
        for old in [each for each, at in sessions.items() if now - at.heard_at >= FORGET_SECONDS]:
            del sessions[old]
        last = sessions.get(report.session)
        sequence = max(last.sequence, report.sequence) if last else report.sequence
        sessions[report.session] = _Last(sequence, now)

    def forget(self, member: str) -> None:
        """It is no member any more."""
        self._taken.pop(member, None)
