"""Where a replica is in a stream, and whether something was missed. Pure.

Redis tells how many entries a stream ever had and how many it has; we count what we
read. So it shows when entries went that we had not read, and when the stream is not
the one that we knew: Redis was flushed, or came back with an older copy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

START = "0-0"


class Lost(StrEnum):
    """Why what we know may have gaps."""

    TRIMMED = "trimmed"
    """We were away for so long that entries went unread. The facts themselves are in Redis."""
    FLUSHED = "flushed"
    """Redis no longer has what it had."""


@dataclass(frozen=True, slots=True)
class StreamState:
    """What Redis says of a stream."""

    last_id: str = START
    added: int = 0
    """Entries that it ever had."""
    length: int = 0


@dataclass(frozen=True, slots=True)
class Position:
    """We have read the stream up to `last_id`; `read` counts its entries to there."""

    last_id: str
    read: int

    def after(self, last_id: str, count: int) -> "Position":
        """`count` entries further."""
        return Position(last_id, self.read + count)


def state_of(info: Mapping[str, Any]) -> StreamState:
    """From the answer to XINFO STREAM (https://redis.io/docs/latest/commands/xinfo-stream/)."""
    last_id = info["last-generated-id"]
    return StreamState(
        last_id=last_id.decode() if isinstance(last_id, bytes) else str(last_id),
        added=int(info.get("entries-added", 0)),
        length=int(info["length"]),
    )


def place(before: Position | None, state: StreamState) -> tuple[Position, Lost | None]:
    """Where to read on after a (re)connection, and whether something was missed.

    At first that is the end: what came before is read from the facts themselves.
    """
    if before is None:
        return Position(state.last_id, state.added), None
    trimmed = state.added - state.length
    if _order(state.last_id) < _order(before.last_id) or state.added < before.read:
        return Position(START, trimmed), Lost.FLUSHED
    if trimmed > before.read:
        return Position(before.last_id, trimmed), Lost.TRIMMED
    return before, None


def _order(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number or 0)
