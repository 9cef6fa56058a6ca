"""What one replica knows of the members' loads, as `federation/reports.py` keeps it.

The last report, with the launches that were sent there since it came (this replica's at
once, the others' a little later, none of theirs without Redis), put through
`core.load.estimate_load`. A report that is too old says nothing.
"""

from collections import deque
from collections.abc import Sequence
from math import inf

from binder_federation.federation.core.load import estimate_load
from binder_federation.federation.core.snapshot import Load
from binder_federation.federation.simulation.member import SimMember
from binder_federation.federation.simulation.report_clock import ReportClock
from binder_federation.federation.simulation.settings import FleetSettings

LIFETIME_SECONDS = 30.0
"""As in `federation/reports.py`."""
AGE_STEP_SECONDS = 10.0
"""A load is estimated anew when its report is so much older: less changes nothing to speak of."""


class LoadView:
    """The loads that a replica works with, by the members' indices."""

    def __init__(
        self,
        members: Sequence[SimMember],
        *,
        clock: ReportClock,
        settings: FleetSettings,
        session_seconds: float,
        replica: int,
    ) -> None:
        self._members = members
        self._clock = clock
        self._replica = replica
        self._delay = settings.report_delay_seconds
        self._session_seconds = session_seconds
        self.loads: list[Load | None] = [None] * len(members)
        self._reported: list[tuple[int, int]] = [(0, 0)] * len(members)
        self._received_at = [-inf] * len(members)
        self._due_at = [-inf] * len(members)
        self._sent: list[list[float]] = [[] for _ in members]
        self._is_refusing = [False] * len(members)
        self._news: deque[tuple[float, float, int]] = deque()
        self._estimates: dict[tuple[int, int, int, int, int], Load] = {}
        self._same: dict[Load, Load] = {}
        self._hears_all = settings.has_redis or settings.replicas == 1
        self._unsettled = set(range(len(members)))
        """Members whose load may be another one than what is known: few, most of the time."""
        for member in members:
            member.observers.append(self._unsettled)

    def note_sent(self, member: int, now: float) -> None:
        """A launch goes to the member."""
        self._sent[member].append(now)
        self._look_again(member)

    def note_gone(self, member: int) -> None:
        """The launch that was sent there last takes no place."""
        if self._sent[member]:
            self._sent[member].pop()
        self._look_again(member)

    def note_full(self, member: int) -> None:
        """The member refused a launch for want of room: it has none until it reports again."""
        self._is_refusing[member] = True
        self._look_again(member)

    def hear_sent(self, member: int, now: float, *, heard_at: float) -> None:
        """Another replica sent a launch there at `now`; this one hears of it at `heard_at`."""
        self._news.append((heard_at, now, member))

    def refresh(self, now: float) -> list[int]:
        """Bring the loads up to date; the indices of members whose load is another one now."""
        while self._news and self._news[0][0] <= now:
            _, sent_at, member = self._news.popleft()
            self.note_sent(member, sent_at)
        due = [member for member in self._unsettled if self._due_at[member] <= now]
        return [member for member in due if self._update(member, now)]

    def _look_again(self, member: int) -> None:
        self._due_at[member] = -inf
        self._unsettled.add(member)

    def _update(self, index: int, now: float) -> bool:
        """Whether the member's load is another one now."""
        member = self._members[index]
        if not member.is_present:
            return False
        self._take_report(member, now)
        age = now - self._received_at[index]
        step = int(min(age, LIFETIME_SECONDS) // AGE_STEP_SECONDS)
        self._due_at[index] = min(
            self._due_at[index], self._received_at[index] + (step + 1) * AGE_STEP_SECONDS
        )
        load = None if age > LIFETIME_SECONDS else self._estimate(member, step)
        self._settle(member)
        if load is self.loads[index]:
            return False
        self.loads[index] = load
        return True

    def _take_report(self, member: SimMember, now: float) -> None:
        index = member.index
        made_at, self._due_at[index] = self._clock.last(index, self._replica, now)
        received_at = made_at + self._delay
        if not member.is_up or received_at <= self._received_at[index]:
            return
        self._received_at[index] = received_at
        self._reported[index] = member.load_at(made_at)
        self._is_refusing[index] = False
        if self._sent[index]:
            self._sent[index] = [at for at in self._sent[index] if at > received_at]

    def _settle(self, member: SimMember) -> None:
        """When the next reports can say nothing else, the member needs no looking after."""
        index = member.index
        if (
            self._hears_all
            and member.is_up
            and not self._sent[index]
            and not self._is_refusing[index]
            and self._reported[index] == member.load_now
        ):
            self._unsettled.discard(index)
            self._due_at[index] = -inf

    def _estimate(self, member: SimMember, step: int) -> Load:
        used, building = self._reported[member.index]
        sent = len(self._sent[member.index])
        if self._is_refusing[member.index]:
            sent = member.slots
        key = (member.slots, used, building, sent, step)
        load = self._estimates.get(key)
        if load is None:
            load = estimate_load(
                Load(member.slots, used, 0, building, member.build_slots),
                sent=sent,
                age_seconds=step * AGE_STEP_SECONDS,
                session_seconds=self._session_seconds,
            )
            # Equal loads are one object, so that a change is seen at a glance.
            load = self._estimates[key] = self._same.setdefault(load, load)
        return load
