"""Members' records as JSON, for the stores. What cannot be read is as if it were not there.

What members said of themselves is in them (the name of a check that failed), perhaps from a version
of ours that did not clean it: it is cleaned when it is read, so that no record breaks a page.
"""

import json
from dataclasses import asdict
from typing import Any

from binder_federation.federation.history.episodes import Episode, EpisodeKind, MemberRecord
from binder_federation.runtime.bounded import clean_line, read_json

MOST_CHARACTERS = 500
LATEST = 1e11
"""Seconds since 1970; nothing of ours is later than the year 5138."""


def encode(record: MemberRecord) -> bytes:
    """The record as JSON."""
    return json.dumps(asdict(record), separators=(",", ":")).encode()


def decode(body: bytes) -> MemberRecord | None:
    """What `encode` made; None for anything else."""
    try:
        told = read_json(body)
        return MemberRecord(
            member=_text(told["member"]),
            tracked_since=_time(told["tracked_since"]),
            was_well=bool(told["was_well"]),
            episodes=tuple(_episode(each) for each in told["episodes"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _episode(told: dict[str, Any]) -> Episode:
    return Episode(
        id=_text(told["id"]),
        member=_text(told["member"]),
        kind=EpisodeKind(_text(told["kind"])),
        reason=_text(told["reason"]),
        began_at=_time(told["began_at"]),
        updated_at=_time(told["updated_at"]),
        times=_count(told["times"]),
        ended_at=None if told["ended_at"] is None else _time(told["ended_at"]),
        until=None if told["until"] is None else _time(told["until"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is expected")
    return clean_line(value, MOST_CHARACTERS)


def _time(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LATEST:
        raise ValueError("a time is expected")
    return float(value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10**9:
        raise ValueError("a count is expected")
    return value
