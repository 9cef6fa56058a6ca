"""The sessions of each repository at all members: what they reported, and what was sent since.

A launch that is sent counts at once, at every replica (`decisions.py` tells them), until its
member's reports show it, or it has failed. A member that makes no reports has the launches
that were sent there within the time that a session lasts in the mean.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from binder_federation.binder.messages import Report
from binder_federation.federation.core.quotas import QuotaRules, SessionTally

IN_FLIGHT_SECONDS = 0.5
"""What was sent so shortly before a report came in may not be counted in it yet."""
SILENT_SECONDS = 600.0
"""The sessions of a member that has said nothing for so long are not counted any more."""


@dataclass(slots=True)
class _AtMember:
    counts: Mapping[str, int] = field(default_factory=dict)
    total: int = 0
    heard_at: float | None = None
    sent: deque[tuple[float, str]] = field(default_factory=deque)
    """When, and which repository, the oldest first."""


class RepositorySessions:
    """Counts of all members."""

    def __init__(self, *, session_seconds: float) -> None:
        self._session_seconds = session_seconds
        self._members: dict[str, _AtMember] = {}
        self.tally = SessionTally(QuotaRules())
        self._total = 0

    @property
    def total(self) -> int:
        """All sessions, of all repositories."""
        return self._total

    def hear(self, report: Report, *, now: float) -> None:
        """What a member says of itself takes the place of what was thought."""
        known = self._members.setdefault(report.member, _AtMember())
        kept = _unreported(known, report.repositories, now)
        self._forget(known)
        known.counts = report.repositories
        known.total = report.load.running + report.load.pending
        known.heard_at = now
        for repository, count in known.counts.items():
            self.tally.add(repository, count)
        self._total += known.total
        for at, repository in kept:
            self._send(known, repository, at)

    def sent(self, member: str, repository: str, *, now: float) -> None:
        """A launch of `repository` goes to `member`."""
        self._send(self._members.setdefault(member, _AtMember()), repository, now)

    def gone(self, member: str, repository: str) -> None:
        """A launch that was sent there failed."""
        known = self._members.get(member)
        if known is None:
            return
        for entry in reversed(known.sent):
            if entry[1] == repository:
                known.sent.remove(entry)
                self.tally.add(repository, -1)
                self._total -= 1
                return

    def forget_old(self, *, now: float) -> None:
        """Sessions that are likely to have ended, where nobody reports."""
        for member, known in list(self._members.items()):
            while known.sent and known.sent[0][0] <= now - self._session_seconds:
                _, repository = known.sent.popleft()
                self.tally.add(repository, -1)
                self._total -= 1
            if known.heard_at is not None and known.heard_at <= now - SILENT_SECONDS:
                sent = list(known.sent)
                self._forget(known)
                self._members[member] = anew = _AtMember()
                for at, repository in sent:
                    self._send(anew, repository, at)

    def _send(self, known: _AtMember, repository: str, at: float) -> None:
        known.sent.append((at, repository))
        self.tally.add(repository, 1)
        self._total += 1

    def _forget(self, known: _AtMember) -> None:
        for repository, count in known.counts.items():
            self.tally.add(repository, -count)
        for _, repository in known.sent:
            self.tally.add(repository, -1)
        self._total -= known.total + len(known.sent)
        known.counts, known.total = {}, 0
        known.sent.clear()


def _unreported(known: _AtMember, counts: Mapping[str, int], now: float) -> list[tuple[float, str]]:
    """Launches of the last moment that the member has not counted yet: as many as its numbers
    have not grown by."""
    sent = Counter(repository for _, repository in known.sent)
    left = {
        repository: number - max(0, counts.get(repository, 0) - known.counts.get(repository, 0))
        for repository, number in sent.items()
    }
    kept: deque[tuple[float, str]] = deque()
    for at, repository in reversed(known.sent):
        if at <= now - IN_FLIGHT_SECONDS:
            break
        if left[repository] > 0:
            left[repository] -= 1
            kept.appendleft((at, repository))
    return list(kept)
