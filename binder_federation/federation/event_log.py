"""What happened to one launch so far, numbered, for any number of readers.

A reader asks for what came after a number and waits for more; so a stream that
was cut resumes where it ended, and a reader that is slow costs no memory: it
reads from the log, which keeps the last events, bounded in number and in bytes.
Events are kept as the text that goes out: made once, and small.
"""

import asyncio
import itertools
from collections import deque
from dataclasses import dataclass

from binder_federation.binder.events import Event, event_from_json
from binder_federation.federation.launch_ids import NOWHERE, MemberPosition

KEPT_BYTES = 48 << 10
"""Thousands of launches stream at once, and somebody who resumes has seen all but the last."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One event: its number for the visitor, its text, and where it came from."""

    number: int
    text: str
    """The JSON in the event's `data:`."""
    at: MemberPosition = NOWHERE
    is_final: bool = False


class EventLog:
    """Events numbered from 1. One writer, many readers, one event loop.

    Numbers have gaps only where the log of another replica could not be read (`skip_to`).
    """

    def __init__(
        self,
        *,
        kept: int,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        self._entries: deque[LogEntry] = deque()
        self._kept = kept
        self._kept_bytes = kept_bytes
        self._bytes = 0
        self._last = 0
        self._at = NOWHERE
        self._is_finished = False
        self._is_cut = False
        self._has_more = asyncio.Event()

    @property
    def last_number(self) -> int:
        """The number of the newest event; 0 while there is none."""
        return self._last

    @property
    def at(self) -> MemberPosition:
        """Where the newest event came from."""
        return self._at

    @property
    def is_finished(self) -> bool:
        """Whether the newest event is the final one."""
        return self._is_finished

    @property
    def is_cut(self) -> bool:
        """Whether the launch goes on elsewhere: nothing more comes here."""
        return self._is_cut

    @property
    def last_event(self) -> Event | None:
        """The newest event."""
        return event_from_json(self._entries[-1].text) if self._entries else None

    def append(self, event: Event, at: MemberPosition | None = None) -> None:
        """Add an event and wake the readers; `at` is by default where the one before was.

        What comes after the final event is dropped.
        """
        at = at or self._at
        self.add(LogEntry(self._last + 1, event.to_json(), at, event.phase.is_final))

    def add(self, entry: LogEntry) -> None:
        """Add an event that has its number already; one that is known is dropped."""
        if self._is_finished or entry.number <= self._last:
            return
        self._entries.append(entry)
        self._last, self._at, self._is_finished = entry.number, entry.at, entry.is_final
        self._bytes += len(entry.text)
        while len(self._entries) > self._kept or self._bytes > self._kept_bytes:
            if len(self._entries) == 1:
                break
            self._bytes -= len(self._entries.popleft().text)
        self._wake()

    def skip_to(self, number: int, at: MemberPosition) -> None:
        """What comes next follows the event `number`, which was told elsewhere."""
        self._last, self._at = number, at

    def cut(self) -> None:
        """The launch goes on elsewhere: readers are sent away."""
        self._is_cut = True
        self._wake()

    def after(self, number: int) -> list[LogEntry]:
        """The kept events that came after `number`: looked for from the end, where they are."""
        if number >= self._last:
            return []
        newest = itertools.takewhile(lambda entry: entry.number > number, reversed(self._entries))
        return list(newest)[::-1]

    async def wait_beyond(self, number: int, *, timeout_seconds: float) -> bool:
        """Wait until there is something after `number`; False when the time is over first."""
        if self._last > number or self._is_cut:
            return True
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._has_more.wait()
        except TimeoutError:
            return False
        return True

    def _wake(self) -> None:
        self._has_more.set()
        self._has_more = asyncio.Event()
