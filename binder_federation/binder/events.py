"""Launch events and their encoding as server-sent events.

The JSON in `data:` is BinderHub's (`phase`, `message` and what belongs to the
phase); what this project adds are further fields, which other clients ignore.
Format: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from binder_federation.runtime.errors import ServiceError


class Phase(StrEnum):
    """Where a launch is."""

    WAITING = "waiting"
    FETCHING = "fetching"
    BUILDING = "building"
    PUSHING = "pushing"
    BUILT = "built"
    LAUNCHING = "launching"
    READY = "ready"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def is_final(self) -> bool:
        """Nothing follows in the same stream."""
        return self in (Phase.READY, Phase.FAILED)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a launch. `message` ends with a newline, as a log line does."""

    phase: Phase
    message: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The text of the event's `data:`, with BinderHub's spaces: scripts grep for them."""
        return json.dumps({"phase": self.phase.value, "message": self.message, **self.fields})

    def adding(self, **fields: Any) -> "Event":
        """The same event with further fields."""
        return Event(self.phase, self.message, {**self.fields, **fields})


def failed_event(error: ServiceError) -> Event:
    """The last event of a launch that failed: a sentence, whose fault, what to do."""
    body = error.to_json()
    message = body.pop("message")
    return Event(Phase.FAILED, f"{message}\n", {"status_code": error.status, **body})


def event_from_json(text: str) -> Event:
    """The event in a `data:` text; an unknown phase is `unknown`. ValueError if it is not JSON."""
    body = json.loads(text)
    if not isinstance(body, dict):
        raise ValueError("an event is a JSON object")
    raw_phase = body.pop("phase", "unknown")
    if raw_phase == "failure":
        raw_phase = "failed"  # so says repo2docker's log, before 2021
    try:
        phase = Phase(raw_phase)
    except ValueError:
        phase = Phase.UNKNOWN
    return Event(phase, str(body.pop("message", "")), body)


def encode_event(event: Event, event_id: str | None = None) -> bytes:
    """`event` as a server-sent event, with its id if it has one."""
    prefix = f"id: {event_id}\n" if event_id else ""
    return f"{prefix}data: {event.to_json()}\n\n".encode()


KEEPALIVE = b":keepalive\n\n"


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """One message of a stream as it arrived: its id (or "") and its data."""

    event_id: str
    data: str


class StreamParser:
    """Turns the bytes of an event stream into messages, in whatever pieces they come.

    Comments count as life (`comments`), not as messages. A line over
    `max_line_bytes` raises ValueError: a stream may not fill our memory.
    """

    def __init__(self, *, max_line_bytes: int = 1 << 20) -> None:
        self._buffer = b""
        self._data: list[str] = []
        self._event_id = ""
        self._max_line_bytes = max_line_bytes
        self.comments = 0

    def feed(self, chunk: bytes) -> list[StreamMessage]:
        """The messages that `chunk` completes."""
        self._buffer += chunk
        *lines, self._buffer = self._buffer.split(b"\n")
        if len(self._buffer) > self._max_line_bytes:
            raise ValueError(f"a line of the event stream is over {self._max_line_bytes} bytes")
        taken = (self._take(line.rstrip(b"\r").decode("utf-8", "replace")) for line in lines)
        return [message for message in taken if message is not None]

    def _take(self, line: str) -> StreamMessage | None:
        if not line:
            data, self._data = "\n".join(self._data), []
            return StreamMessage(self._event_id, data) if data else None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not name:
            self.comments += 1
        elif name == "data":
            self._data.append(value)
        elif name == "id":
            self._event_id = value
        return None
