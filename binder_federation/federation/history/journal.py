"""The members' records as this replica has them, kept in step with the other replicas'.

Each turn reads what others wrote, observes all members, and writes what changed if this
replica is the scribe (`record_store.py`); one that is not drops its own view and shows the
scribe's, so that all replicas tell the same. While Redis is away each replica goes on for
itself; who comes back first writes what it saw. A Redis that lost its data gets it back from
whoever remembers more.
"""

from collections.abc import Mapping

import structlog

from binder_federation.federation.history.episodes import (
    KEPT_SECONDS,
    Condition,
    MemberRecord,
    merge,
    observe,
    observe_leave,
)
from binder_federation.federation.history.record_store import Records, RecordStore, Written
from binder_federation.federation.shared.connection import RedisUnavailable

log = structlog.get_logger(__name__)


class Journal:
    """Members' records. `records` is swapped whole."""

    def __init__(self, *, store: RecordStore) -> None:
        self._store = store
        self.records: Mapping[str, MemberRecord] = {}
        self._revision = 0
        self._unsaved: dict[str, MemberRecord | None] = {}
        self.is_behind = False
        """Whether the last turn could not reach the store."""

    async def turn(
        self, conditions: Mapping[str, Condition], *, now: float, may_write: bool = True
    ) -> None:
        """Observe the members as they are. `may_write` is False while we distrust ourselves."""
        try:
            await self._catch_up()
            changes = {**self._unsaved, **self._observe(conditions, now=now)}
            await self._write(changes, may_write=may_write)
            self.is_behind = False
        except RedisUnavailable:
            self._note_behind()
            self._keep_for_later(self._observe(conditions, now=now))

    def _observe(
        self, conditions: Mapping[str, Condition], *, now: float
    ) -> dict[str, MemberRecord | None]:
        """The records that change; None for one of which nothing is left to tell."""
        changes: dict[str, MemberRecord | None] = {}
        for name, condition in conditions.items():
            before = self.records.get(name)
            after = observe(before or MemberRecord(name, now), condition, now=now)
            if after is not before:
                changes[name] = after
        for name in self.records.keys() - conditions.keys():
            gone = observe_leave(self.records[name], now=now)
            if not gone.episodes and now - gone.tracked_since > KEPT_SECONDS:
                changes[name] = None
            elif gone is not self.records[name]:
                changes[name] = gone
        return changes

    async def _catch_up(self) -> None:
        found = await self._store.load(self._revision)
        if found is None:
            return
        if found.revision < self._revision and self.records:
            await self._restore(found)
        else:
            self._adopt(found)

    def _adopt(self, found: Records) -> None:
        self._unsaved = {}
        self._revision, self.records = found.revision, found.by_member

    async def _restore(self, found: Records) -> None:
        """Redis has lost what we remember: bring it back, with what was written since. If
        somebody else is quicker, the next turn tries again."""
        ours = dict(self.records)
        for name, record in found.by_member.items():
            ours[name] = merge(ours[name], record) if name in ours else record
        outcome = await self._store.write(ours, found.revision, as_scribe=False)
        if outcome is Written.YES:
            log.info("history_restored", members=len(ours))
            self._adopt(Records(found.revision + 1, ours))

    async def _write(self, changes: Mapping[str, MemberRecord | None], *, may_write: bool) -> None:
        if not may_write:
            return
        outcome = await self._store.write(changes, self._revision)
        if outcome is Written.YES:
            self.records = _changed(self.records, changes)
            self._revision += 1 if changes else 0
            self._unsaved = {}
        elif self._unsaved:  # the scribe's word holds: ours was for while we were alone
            self._revision = -1
            self._unsaved = {}

    def _keep_for_later(self, changes: Mapping[str, MemberRecord | None]) -> None:
        self.records = _changed(self.records, changes)
        self._unsaved |= changes

    def _note_behind(self) -> None:
        if not self.is_behind:
            log.warning("history_behind")
        self.is_behind = True


def _changed(
    records: Mapping[str, MemberRecord], changes: Mapping[str, MemberRecord | None]
) -> Mapping[str, MemberRecord]:
    if not changes:
        return records
    both = {**records, **changes}
    return {name: record for name, record in both.items() if record is not None}
