"""Members' records as JSON, for the stores. What cannot be read is as if it were not there."""

import json
from dataclasses import asdict

from binder_federation.federation.history.episodes import Episode, EpisodeKind, MemberRecord


def encode(record: MemberRecord) -> bytes:
    """The record as JSON."""
    return json.dumps(asdict(record), separators=(",", ":")).encode()


def decode(body: bytes) -> MemberRecord | None:
    """What `encode` made; None for anything else."""
    try:
        told = json.loads(body)
        return MemberRecord(
            member=str(told["member"]),
            tracked_since=float(told["tracked_since"]),
            was_well=bool(told["was_well"]),
            episodes=tuple(_episode(each) for each in told["episodes"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _episode(told: dict[str, object]) -> Episode:
    times = {
        name: None if told[name] is None else float(str(told[name]))
        for name in ("ended_at", "until")
    }
    return Episode(
        id=str(told["id"]),
        member=str(told["member"]),
        kind=EpisodeKind(str(told["kind"])),
        reason=str(told["reason"]),
        began_at=float(str(told["began_at"])),
        updated_at=float(str(told["updated_at"])),
        times=int(str(told["times"])),
        **times,
    )
