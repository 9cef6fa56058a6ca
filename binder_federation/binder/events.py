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

from binder_federation.runtime.bounded import read_json
from binder_federation.runtime.errors import ServiceError

MOST_MESSAGE_BYTES = 64 * 1024
"""Of one message of a stream, all of its lines together."""
MOST_ID = 100


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
    body = read_json(text)
    if not isinstance(body, dict):
        raise ValueError("an event is a JSON object")
    phase = phase_of(body.pop("phase", Phase.UNKNOWN.value))
    return Event(phase, str(body.pop("message", "")), body)


def phase_of(name: Any) -> Phase:
    """The phase of that name; `unknown` for any other."""
    if name == "failure":
        return Phase.FAILED  # so says repo2docker's log, before 2021
    try:
        return Phase(name)
    except ValueError:
        return Phase.UNKNOWN


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

    Comments count as life (`comments`), not as messages. A line or a message, however many
    lines it has, over `most_bytes` raises ValueError: a stream may not fill our memory.
    """

    def __init__(self, *, most_bytes: int = MOST_MESSAGE_BYTES) -> None:
        self._buffer = b""
        self._data: list[str] = []
        self._size = 0
        self._event_id = ""
        self._most_bytes = most_bytes
        self.comments = 0

    def feed(self, chunk: bytes) -> list[StreamMessage]:
        """The messages that `chunk` completes."""
        self._buffer += chunk
        *lines, self._buffer = self._buffer.split(b"\n")
        if len(self._buffer) > self._most_bytes:
            raise ValueError(f"a line of the event stream is over {self._most_bytes} bytes")
        taken = (self._take(line.rstrip(b"\r")) for line in lines)
        return [message for message in taken if message is not None]

    def _take(self, raw: bytes) -> StreamMessage | None:
        self._size += len(raw)
        if self._size > self._most_bytes:
            raise ValueError(f"a message of the event stream is over {self._most_bytes} bytes")
        line = raw.decode("utf-8", "replace")
        if not line:
            data, self._data, self._size = "\n".join(self._data), [], 0
            return StreamMessage(self._event_id, data) if data else None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not name:
            self.comments += 1
            self._size -= len(raw)
        elif name == "data":
            self._data.append(value)
        elif name == "id" and len(value) <= MOST_ID:
            self._event_id = value
        return None
