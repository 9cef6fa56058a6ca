"""Incidents and maintenance from what a member is now: pure transitions of one record.

An incident begins when a member that was well is DOWN or ejected, and is dated back to when
it began to fail. It ends when the member is well again. One that comes back within ten
minutes of its end is the same incident, once more: a flapping member has one line, not
twenty. Draining is maintenance and no incident; what fails meanwhile is expected to.
A member that was never well yet has no incident: nobody was sent away from it.

All times are seconds since the epoch.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from binder_federation.health.state import MemberState

JOIN_SECONDS = 600.0
"""An incident that ended so shortly ago goes on."""
KEPT_SECONDS = 90 * 86_400.0
MOST_EPISODES = 200
"""Of one member; the oldest go first."""


class EpisodeKind(StrEnum):
    """What an episode is."""

    INCIDENT = "incident"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True)
class Condition:
    """What one member is now."""

    probed: MemberState
    since: float
    """When it began to be so, or to fail."""
    reason: str = ""
    """A short code: `timeout`, `refused`, `launches_failed`."""
    is_ejected: bool = False
    is_draining: bool = False
    drain_reason: str = ""
    """In an operator's words."""
    drain_until: float | None = None

    @property
    def is_out(self) -> bool:
        """Whether it fails: for its probes, or for its launches."""
        return self.is_ejected or self.probed is MemberState.DOWN

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong with it, draining or not."""
        return self.probed.is_well and not self.is_ejected


@dataclass(frozen=True, slots=True)
class Episode:
    """A time in which a member took no launches, or should not have."""

    id: str
    member: str
    kind: EpisodeKind
    reason: str
    began_at: float
    updated_at: float
    ended_at: float | None = None
    until: float | None = None
    """When a drain is to end by itself."""
    times: int = 1
    """How often it came back within ten minutes, and the first time."""

    @property
    def is_open(self) -> bool:
        """Whether it goes on."""
        return self.ended_at is None


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """What became of one member, oldest episode first."""

    member: str
    tracked_since: float
    was_well: bool = False
    episodes: tuple[Episode, ...] = field(default=())

    def open(self, kind: EpisodeKind) -> Episode | None:
        """The episode of this kind that goes on."""
        return next((e for e in reversed(self.episodes) if e.kind is kind and e.is_open), None)


def observe(record: MemberRecord, condition: Condition, *, now: float) -> MemberRecord:
    """The record after the member was seen in `condition`; the same one if nothing changed."""
    if condition.is_well and not record.was_well:
        record = replace(record, was_well=True)
    record = _observe_drain(record, condition, now=now)
    return _trim(_observe_failing(record, condition, now=now), now=now)


def observe_leave(record: MemberRecord, *, now: float) -> MemberRecord:
    """The record of a member that is no member any more: what was open ends."""
    for kind in EpisodeKind:
        if (episode := record.open(kind)) is not None:
            record = _swap(record, episode, replace(episode, ended_at=now, updated_at=now))
    return _trim(record, now=now)


def merge(ours: MemberRecord, theirs: MemberRecord) -> MemberRecord:
    """Both records in one; what both have of an episode is as the younger one says."""
    by_id: dict[str, Episode] = {}
    for episode in (*ours.episodes, *theirs.episodes):
        known = by_id.get(episode.id)
        if known is None or known.updated_at < episode.updated_at:
            by_id[episode.id] = episode
    return MemberRecord(
        member=ours.member,
        tracked_since=min(ours.tracked_since, theirs.tracked_since),
        was_well=ours.was_well or theirs.was_well,
        episodes=tuple(sorted(by_id.values(), key=lambda each: each.began_at)),
    )


def seconds_within(episodes: Iterable[Episode], begin: float, end: float, *, now: float) -> float:
    """Seconds of `[begin, end)` that the episodes cover; they are not to overlap."""
    return sum(
        max(0.0, min(end, now if e.ended_at is None else e.ended_at) - max(begin, e.began_at))
        for e in episodes
    )


def _observe_drain(record: MemberRecord, condition: Condition, *, now: float) -> MemberRecord:
    episode = record.open(EpisodeKind.MAINTENANCE)
    if not condition.is_draining:
        if episode is None:
            return record
        return _swap(record, episode, replace(episode, ended_at=now, updated_at=now))
    reason, until = condition.drain_reason, condition.drain_until
    if episode is None:
        return _add(record, EpisodeKind.MAINTENANCE, now, reason, now=now, until=until)
    if (episode.reason, episode.until) == (reason, until):
        return record
    return _swap(record, episode, replace(episode, reason=reason, until=until, updated_at=now))


def _observe_failing(record: MemberRecord, condition: Condition, *, now: float) -> MemberRecord:
    episode = record.open(EpisodeKind.INCIDENT)
    if episode is not None:
        if condition.is_well:
            return _swap(record, episode, replace(episode, ended_at=now, updated_at=now))
        return record
    if not condition.is_out or condition.is_draining or not record.was_well:
        return record
    began_at = min(now, condition.since)
    last = _last_incident(record)
    if last is not None and last.ended_at is not None and began_at - last.ended_at <= JOIN_SECONDS:
        again = replace(last, ended_at=None, times=last.times + 1, updated_at=now)
        return _swap(record, last, replace(again, reason=condition.reason))
    return _add(record, EpisodeKind.INCIDENT, began_at, condition.reason, now=now)


def _last_incident(record: MemberRecord) -> Episode | None:
    incidents = (e for e in reversed(record.episodes) if e.kind is EpisodeKind.INCIDENT)
    return next(incidents, None)


def _add(
    record: MemberRecord,
    kind: EpisodeKind,
    began_at: float,
    reason: str,
    *,
    now: float,
    until: float | None = None,
) -> MemberRecord:
    episode = Episode(
        id=f"{record.member}-{kind.value}-{round(began_at * 1000)}",
        member=record.member,
        kind=kind,
        reason=reason,
        began_at=began_at,
        updated_at=now,
        until=until,
    )
    return replace(record, episodes=(*record.episodes, episode))


def _swap(record: MemberRecord, old: Episode, new: Episode) -> MemberRecord:
    return replace(record, episodes=tuple(new if e is old else e for e in record.episodes))


def _trim(record: MemberRecord, *, now: float) -> MemberRecord:
    kept = tuple(e for e in record.episodes if e.is_open or now - e.updated_at <= KEPT_SECONDS)
    kept = kept[-MOST_EPISODES:]
    return record if len(kept) == len(record.episodes) else replace(record, episodes=kept)
