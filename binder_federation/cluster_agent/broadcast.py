"""One writer, many readers: the events of a build or of a launch.

The writer appends and never waits. Each reader has a place of its own in the one
record, so that a thousand readers cost the writer no more than one. The record is
bounded: every phase change is kept, of the lines between them the latest ones; a
reader who is slower than that is told how many lines it missed.

Readers are woken at once by a change of phase, and at most every
`FLUSH_SECONDS` by lines, so that a chatty build does not wake them all for each.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from binder_federation.binder.events import Event, Phase

FLUSH_SECONDS = 0.05
KEPT_LINES = 1000


@dataclass(frozen=True, slots=True)
class _Entry:
    number: int
    event: Event


class Broadcast:
    """The record of one build or launch. All of it is used in one event loop."""

    def __init__(self, *, kept_lines: int = KEPT_LINES) -> None:
        self._changes: list[_Entry] = []
        self._lines: deque[_Entry] = deque(maxlen=kept_lines)
        self._next_number = 0
        self._lines_appended = 0
        self._is_closed = False
        self._grown = asyncio.Event()
        self._flush: asyncio.TimerHandle | None = None

    @property
    def phase(self) -> Phase | None:
        """The phase of the latest event."""
        return self._changes[-1].event.phase if self._changes else None

    @property
    def is_closed(self) -> bool:
        """Nothing more will come."""
        return self._is_closed

    def append(self, event: Event) -> None:
        """Tell everybody. An event of the same phase as the one before is a line of it."""
        if self._is_closed:
            return
        entry = _Entry(self._next_number, event)
        self._next_number += 1
        if event.phase is self.phase and not event.phase.is_final:
            self._lines.append(entry)
            self._lines_appended += 1
            self._wake_soon()
        else:
            self._changes.append(entry)
            self._wake()

    def close(self) -> None:
        """Nothing more will come: readers end when they have read the rest."""
        self._is_closed = True
        self._wake()

    async def follow(
        self, *, tail_lines: int | None = None, idle_seconds: float | None = None
    ) -> AsyncGenerator[list[Event], None]:
        """What there is and what comes, in batches, until it is closed.

        With `tail_lines` a late reader gets the current phase and at most so many
        of the last lines; without it, everything that is still kept. After
        `idle_seconds` without anything an empty batch comes.
        """
        changes, lines = list(self._changes), list(self._lines)
        seen_lines = 0
        if tail_lines is not None:
            changes, lines = changes[-1:], lines[-tail_lines:]
            seen_lines = self._lines_appended - len(lines)
        while True:
            # No await between reading what there is and taking the event that tells of more.
            grown, position = self._grown, self._next_number
            missed = self._lines_appended - seen_lines - len(lines)
            seen_lines = self._lines_appended
            if changes or lines:
                yield _in_order(changes, lines, missed)
            elif self._is_closed:
                return
            if position == self._next_number and not self._is_closed:
                while not await _is_set_within(grown, idle_seconds):
                    yield []
            changes, lines = _since(self._changes, position), _since(self._lines, position)

    def _wake(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    def _wake_soon(self) -> None:
        if self._flush is None:
            loop = asyncio.get_running_loop()
            self._flush = loop.call_later(FLUSH_SECONDS, self._wake)


async def _is_set_within(event: asyncio.Event, seconds: float | None) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def _since(entries: Sequence[_Entry], position: int) -> list[_Entry]:
    """The entries numbered `position` or later: looked for from the end, where they are."""
    found = list(itertools.takewhile(lambda entry: entry.number >= position, reversed(entries)))
    found.reverse()
    return found


def _in_order(changes: list[_Entry], lines: list[_Entry], missed: int) -> list[Event]:
    entries = sorted([*changes, *lines], key=lambda entry: entry.number) if changes else lines
    events = [entry.event for entry in entries]
    if missed > 0:
        note = Event(events[0].phase, f"... {missed:,} lines left out ...\n")
        events.insert(0, note)
    return events
