"""The sessions of each repository at all members: what they reported, and what was sent since.

A launch that is sent counts at once, at every replica (`decisions.py` tells them), until its
member's reports show it, or it has failed. A member that makes no reports has the launches
that were sent there within the time that a session lasts in the mean.

A member's word alone cannot use up a quota that is everybody's. Its numbers may fall as it says;
they grow by what was sent there, and no further, and never past its capacity. Only in the first
minute of a replica, which does not know yet what others sent, a first report is believed.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from binder_federation.binder.messages import Report
from binder_federation.federation.core.quotas import QuotaRules, SessionTally

TOGETHER_SECONDS = 0.1
"""Launches that were sent within it are remembered as one."""
IN_FLIGHT_SECONDS = 0.5
"""What was sent so shortly before a report came in may not be counted in it yet."""
SILENT_SECONDS = 600.0
FIRST_SECONDS = 60.0
"""So long after its start a replica believes what members say of before."""
CREDIT_SECONDS = 7200.0
"""A launch that was sent to a member may show in its reports for so long: its build may be slow."""
"""The sessions of a member that has said nothing for so long are not counted any more."""


@dataclass(slots=True)
class _Sent:
    """Launches of about the same time, by repository: a busy member has thousands a minute."""

    since: float
    counts: Counter[str]


@dataclass(slots=True)
class _AtMember:
    counts: Mapping[str, int] = field(default_factory=dict)
    total: int = 0
    heard_at: float | None = None
    most: int = 0
    """The largest capacity that it has told of."""
    credit: deque[tuple[float, str]] = field(default_factory=deque)
    """What was sent there, and did not show in its reports yet; the oldest first."""
    sent: deque[_Sent] = field(default_factory=deque)
    """The oldest first."""


class RepositorySessions:
    """Counts of all members."""

    def __init__(self, *, session_seconds: float) -> None:
        self._session_seconds = session_seconds
        self._members: dict[str, _AtMember] = {}
        self.tally = SessionTally(QuotaRules())
        self._total = 0
        self._began_at: float | None = None

    @property
    def total(self) -> int:
        """All sessions, of all repositories."""
        return self._total

    def hear(self, report: Report, *, now: float) -> None:
        """What a member says of itself takes the place of what was thought."""
        known = self._members.setdefault(report.member, _AtMember())
        counts, total = self._credible(known, report, now)
        kept = _unreported(known, counts, now)
        self._forget(known)
        known.counts, known.total = counts, total
        known.heard_at = now
        for repository, count in known.counts.items():
            self.tally.add(repository, count)
        self._total += known.total
        for sent in kept:
            for repository, count in sent.counts.items():
                self._send(known, repository, sent.since, count)

    def sent(self, member: str, repository: str, *, now: float) -> None:
        """A launch of `repository` goes to `member`."""
        known = self._members.setdefault(member, _AtMember())
        known.credit.append((now, repository))
        self._send(known, repository, now)

    def gone(self, member: str, repository: str) -> None:
        """A launch that was sent there failed."""
        known = self._members.get(member)
        if known is None:
            return
        for sent in reversed(known.sent):
            if sent.counts[repository] > 0:
                sent.counts[repository] -= 1
                self._change(repository, -1)
                return

    def forget_old(self, *, now: float) -> None:
        """Sessions that are likely to have ended, where nobody reports."""
        for member, known in list(self._members.items()):
            while known.sent and known.sent[0].since <= now - self._session_seconds:
                self._take_off(known.sent.popleft())
            if known.heard_at is not None and known.heard_at <= now - SILENT_SECONDS:
                self._forget(known)
                del self._members[member]

    def _credible(
        self, known: _AtMember, report: Report, now: float
    ) -> tuple[Mapping[str, int], int]:
        """What of the member's numbers counts: sessions by repository, and all of them."""
        self._began_at = now if self._began_at is None else self._began_at
        known.most = max(known.most, report.load.capacity)
        told = report.load.running + report.load.pending
        if known.heard_at is None and now - self._began_at < FIRST_SECONDS:
            left, believed = known.most, {}
            for repository, count in report.repositories.items():
                believed[repository] = min(count, left)
                left -= believed[repository]
            return believed, min(told, known.most)
        while known.credit and known.credit[0][0] <= now - CREDIT_SECONDS:
            known.credit.popleft()
        credit = Counter(repository for _, repository in known.credit)
        counts = {
            repository: min(count, known.counts.get(repository, 0) + credit[repository], known.most)
            for repository, count in report.repositories.items()
        }
        total = min(told, known.total + len(known.credit), known.most)
        shown = Counter(
            {name: max(0, count - known.counts.get(name, 0)) for name, count in counts.items()}
        )
        _use_up(known.credit, shown)
        return counts, total

    def _send(self, known: _AtMember, repository: str, at: float, count: int = 1) -> None:
        last = known.sent[-1] if known.sent else None
        if last is None or not 0.0 <= at - last.since < TOGETHER_SECONDS:
            last = _Sent(at, Counter())
            known.sent.append(last)
        last.counts[repository] += count
        self._change(repository, count)

    def _take_off(self, sent: _Sent) -> None:
        for repository, count in sent.counts.items():
            self._change(repository, -count)

    def _change(self, repository: str, by: int) -> None:
        self.tally.add(repository, by)
        self._total += by

    def _forget(self, known: _AtMember) -> None:
        for repository, count in known.counts.items():
            self.tally.add(repository, -count)
        self._total -= known.total
        for sent in known.sent:
            self._take_off(sent)
        known.counts, known.total = {}, 0
        known.sent.clear()


def _use_up(credit: deque[tuple[float, str]], shown: Counter[str]) -> None:
    """What shows in a report is no credit any more; the oldest goes first."""
    kept = []
    for at, repository in credit:
        if shown[repository] > 0:
            shown[repository] -= 1
        else:
            kept.append((at, repository))
    credit.clear()
    credit.extend(kept)


def _unreported(known: _AtMember, counts: Mapping[str, int], now: float) -> list[_Sent]:
    """Launches of the last moment that the member has not counted yet: as many as its numbers
    have not grown by."""
    left: Counter[str] = Counter()
    for sent in known.sent:
        left.update(sent.counts)
    for repository in left:
        grown = counts.get(repository, 0) - known.counts.get(repository, 0)
        left[repository] -= max(0, grown)
    kept: deque[_Sent] = deque()
    for sent in reversed(known.sent):
        if sent.since <= now - IN_FLIGHT_SECONDS:
            break
        unknown = Counter({name: min(left[name], count) for name, count in sent.counts.items()})
        kept.appendleft(_Sent(sent.since, +unknown))
        left.subtract(sent.counts)
    return list(kept)
