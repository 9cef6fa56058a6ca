"""The federation's history as one replica has it: records of members, launches counted."""

from collections.abc import Callable, Mapping

from binder_federation.federation.history.conditions import Conditions
from binder_federation.federation.history.ended import read_end
from binder_federation.federation.history.episodes import MemberRecord
from binder_federation.federation.history.journal import Journal
from binder_federation.federation.history.launch_counts import EndedLaunch, Sums
from binder_federation.federation.history.record_store import MemoryRecordStore, RedisRecordStore
from binder_federation.federation.history.spans import Span
from binder_federation.federation.history.tallies import Tallies
from binder_federation.federation.history.tally_store import MemoryTallyStore, RedisTallyStore
from binder_federation.federation.launch import Launch
from binder_federation.federation.shared.connection import RedisConnection

TURN_SECONDS = 2.0


class History:
    """What became of the members. `distrusts_itself` tells that this replica's own view fails."""

    def __init__(
        self,
        *,
        journal: Journal,
        tallies: Tallies,
        conditions: Conditions,
        distrusts_itself: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        self._journal = journal
        self._tallies = tallies
        self._distrusts_itself = distrusts_itself
        self._clock = clock
        self.conditions = conditions

    @property
    def records(self) -> Mapping[str, MemberRecord]:
        """Members' records by name; also of those that left."""
        return self._journal.records

    @property
    def is_behind(self) -> bool:
        """Whether the other replicas' word could not be had lately."""
        return self._journal.is_behind

    def sums(self, span: Span, *, now: float) -> Mapping[str, Sums]:
        """Launches that ended in the span, by member; under "" those that found none."""
        return self._tallies.sums(span, now=now)

    def launch_ended(self, launch: Launch) -> None:
        """A launch of this replica ended, or was given up."""
        if not launch.request.is_build_only:
            now = self._clock()
            self._tallies.note(read_end(launch, now=now), now=now)

    def redirected(self, member: str) -> None:
        """A visitor was sent to the member, which knows how it ends."""
        ended = EndedLaunch(member=member, first_member="", is_ready=False)
        self._tallies.note(ended, now=self._clock())

    async def settle(self) -> None:
        """Send what was counted here, if Redis takes it: before the end."""
        await self._tallies.turn(now=self._clock())

    async def turn(self) -> None:
        """Observe, and keep in step with the other replicas."""
        now = self._clock()
        may_write = not self._distrusts_itself()
        await self._journal.turn(self.conditions.look(now=now), now=now, may_write=may_write)
        await self._tallies.turn(now=now)


def make_history(
    connection: RedisConnection | None,
    *,
    conditions: Conditions,
    distrusts_itself: Callable[[], bool],
    clock: Callable[[], float],
) -> History:
    """For one replica alone, or for many."""
    records = RedisRecordStore(connection=connection) if connection else MemoryRecordStore()
    tallies = RedisTallyStore(connection=connection) if connection else MemoryTallyStore()
    return History(
        journal=Journal(store=records),
        tallies=Tallies(store=tallies),
        conditions=conditions,
        distrusts_itself=distrusts_itself,
        clock=clock,
    )
