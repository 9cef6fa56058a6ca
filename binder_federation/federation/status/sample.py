"""A report of made-up members in every state: templates are tried with it at the start."""

from binder_federation.federation.history.episodes import Episode, EpisodeKind, MemberRecord
from binder_federation.federation.history.launch_counts import Sums
from binder_federation.federation.status.days import DAY_SECONDS, days_of
from binder_federation.federation.status.report import (
    Launched,
    MemberStatus,
    Sessions,
    StatusReport,
)

AT = 1_763_930_000.0
FIVE_WEEKS = 35 * DAY_SECONDS
_SUMS = Sums(launches=412, ready=405, first=408, first_ready=401, by_slot={11: 300, 14: 105})
_NONE = Launched(Sums(), Sums(), Sums())
_MANY = Launched(_SUMS, _SUMS, _SUMS)


def sample_report(now: float = AT) -> StatusReport:
    """Three members: one well, one down for 43 minutes, one in maintenance."""
    records = _records(now)
    members = (
        _member("alpha", "up", now - FIVE_WEEKS, records, now, Sessions(34, 2, 80)),
        _member("beta", "down", now - 2580, records, now, None, reason="refused"),
        _member("gamma", "draining", now - 900, records, now, Sessions(6, 0, 40), "New disks."),
    )
    episodes = [e for record in records.values() for e in record.episodes]
    return StatusReport(
        at=now,
        members=members,
        episodes=sorted(episodes, key=lambda e: (e.is_open, e.began_at), reverse=True),
        launched=_MANY,
        tells_readiness=True,
        notes=(),
    )


def _member(
    name: str,
    state: str,
    since: float,
    records: dict[str, MemberRecord],
    now: float,
    sessions: Sessions | None,
    reason: str = "",
) -> MemberStatus:
    return MemberStatus(
        name=name,
        kind="agent",
        state=state,
        reason=reason,
        since=since,
        weight=10.0,
        effective_weight=10.0,
        sessions=sessions,
        launched=_NONE if state == "down" else _MANY,
        drain_until=now + 7200 if state == "draining" else None,
        days=days_of(records[name], now=now),
    )


def _records(now: float) -> dict[str, MemberRecord]:
    since = now - FIVE_WEEKS
    down = _episode("beta", EpisodeKind.INCIDENT, "refused", now - 2580, None)
    before = _episode("beta", EpisodeKind.INCIDENT, "timeout", now - 900_000, now - 893_000)
    paused = _episode(
        "alpha", EpisodeKind.INCIDENT, "launches_failed", now - 600_000, now - 599_400
    )
    drain = _episode("gamma", EpisodeKind.MAINTENANCE, "New disks.", now - 900, None)
    return {
        "alpha": MemberRecord("alpha", since, was_well=True, episodes=(paused,)),
        "beta": MemberRecord("beta", since, was_well=True, episodes=(before, down)),
        "gamma": MemberRecord("gamma", since, was_well=True, episodes=(drain,)),
    }


def _episode(
    member: str, kind: EpisodeKind, reason: str, began_at: float, ended_at: float | None
) -> Episode:
    return Episode(
        id=f"{member}-{kind.value}-{round(began_at * 1000)}",
        member=member,
        kind=kind,
        reason=reason,
        began_at=began_at,
        updated_at=began_at if ended_at is None else ended_at,
        ended_at=ended_at,
        until=began_at + 8100 if kind is EpisodeKind.MAINTENANCE else None,
    )
