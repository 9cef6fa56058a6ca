"""The federation's state at one moment, as the status page tells it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from binder_federation.federation.history.episodes import Episode
from binder_federation.federation.history.launch_counts import Sums
from binder_federation.federation.status.days import Days
from binder_federation.federation.status.words import STATES, clock_time, duration, reason_words

TAKING = frozenset({"up", "degraded", "recovering"})
WITH_REASON = frozenset({"down", "suspect", "ejected"})


@dataclass(frozen=True, slots=True)
class Sessions:
    """A member's load."""

    running: int
    pending: int
    capacity: int

    @property
    def taken(self) -> int:
        """Places that are taken."""
        return self.running + self.pending

    @property
    def is_full(self) -> bool:
        """Whether there is no place."""
        return self.taken >= self.capacity

    @property
    def percent(self) -> float:
        """For the bar."""
        return min(100.0, 100.0 * self.taken / self.capacity) if self.capacity else 100.0

    @property
    def text(self) -> str:
        """The load in words."""
        if not self.capacity:
            return "takes no sessions now"
        starting = f", {self.pending} of them starting" if self.pending else ""
        full = " (full)" if self.is_full else ""
        return f"{self.taken} of {self.capacity} sessions{starting}{full}"


@dataclass(frozen=True, slots=True)
class Launched:
    """Launches that ended in the last hour, day and 90 days."""

    hour: Sums
    day: Sums
    quarter: Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberStatus:
    """One member."""

    name: str
    kind: str
    state: str
    reason: str
    """A code, or an operator's words for a drain."""
    since: float
    weight: float
    effective_weight: float
    sessions: Sessions | None
    launched: Launched
    drain_until: float | None
    days: Days

    @property
    def level(self) -> str:
        """Names its icon and colour."""
        return STATES.get(self.state, STATES["unknown"])[0]

    @property
    def words(self) -> str:
        """Its state in words."""
        return STATES.get(self.state, STATES["unknown"])[1]

    @property
    def takes_launches(self) -> bool:
        """Whether launches go there now."""
        is_full = self.sessions is not None and self.sessions.is_full
        return self.state in TAKING and not is_full

    @property
    def reason_text(self) -> str:
        """Why it is in its state; empty where there is nothing to say."""
        if self.state == "draining":
            return self.reason
        if self.state in WITH_REASON:
            return reason_words(self.reason)
        return {
            "degraded": "more of its launches fail than elsewhere, or other replicas see it fail",
            "recovering": "its share of launches grows back step by step",
            "joining": "its checks have not passed yet",
        }.get(self.state, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """All of it. `notes` say what this replica cannot know just now."""

    at: float
    members: Sequence[MemberStatus]
    episodes: Sequence[Episode]
    """The last 90 days', latest first."""
    launched: Launched
    tells_readiness: bool
    """Whether it is known how launches end: not where visitors are sent to the members."""
    notes: Sequence[str] = ()

    @property
    def level(self) -> str:
        """Names the icon and colour of the whole."""
        counted = self._counted
        taking = sum(member.takes_launches for member in counted)
        if not counted or all(member.state == "unknown" for member in counted):
            return "unknown"
        if taking == 0:
            return "bad"
        is_all_well = all(each.state == "up" and each.takes_launches for each in counted)
        return "good" if is_all_well else "fair"

    @property
    def headline(self) -> str:
        """One sentence about all members."""
        counted = self._counted
        if not counted:
            return "This federation has no members yet."
        if all(member.state == "unknown" for member in counted):
            return "Nothing is known of the members yet: they are being asked."
        taking = sum(member.takes_launches for member in counted)
        others = [member for member in counted if member.state != "up" or not member.takes_launches]
        if not others:
            return "All members are well." if len(counted) > 1 else "The only member is well."
        return f"{_how_many(taking, len(counted))}; {self._tell(others)}."

    @property
    def _counted(self) -> list[MemberStatus]:
        return [member for member in self.members if member.state != "joining"]

    def _tell(self, others: Sequence[MemberStatus]) -> str:
        """What keeps the others away; the worst first, of many only how many."""
        order = ["down", "ejected", "suspect", "unknown", "draining", "degraded", "recovering"]
        ranked = sorted(others, key=lambda m: order.index(m.state) if m.state in order else 9)
        told = [self._tell_one(member) for member in ranked[:3]]
        if len(ranked) > 3:
            told.append(f"{len(ranked) - 3} more are not fully there")
        return ", ".join(told)

    def _tell_one(self, member: MemberStatus) -> str:
        since = f"since {clock_time(member.since, now=self.at)}"
        match member.state:
            case "down":
                return f"{member.name} has been down {since}"
            case "draining":
                return f"{member.name} is in maintenance"
            case "ejected":
                return f"{member.name} is paused after failures"
            case "suspect":
                return f"{member.name} does not answer well"
            case "degraded":
                return f"{member.name} has a smaller share"
            case "recovering":
                return f"{member.name} is coming back"
            case "up":
                return f"{member.name} is full"
            case _:
                return f"{member.name} is not known yet"

    def for_how_long(self, member: MemberStatus) -> str:
        """Since when the member has been in its state, in words."""
        return duration(self.at - member.since)


def _how_many(taking: int, members: int) -> str:
    if taking == 0:
        return "No member takes launches now"
    if taking == members:
        return "All members take launches" if members > 1 else "The only member takes launches"
    return f"{taking} of {members} members {'takes' if taking == 1 else 'take'} launches"
