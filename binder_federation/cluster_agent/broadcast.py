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
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from binder_federation.binder.events import Event, Phase

FLUSH_SECONDS = 0.05
KEPT_LINES = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """An event and its number in the record, from 1 on and without gaps."""

    number: int
    event: Event


class Broadcast:
    """The record of one build or launch. All of it is used in one event loop."""

    def __init__(self, *, kept_lines: int = KEPT_LINES) -> None:
        self._changes: list[Entry] = []
        self._lines: deque[Entry] = deque(maxlen=kept_lines)
        self._last = 0
        self._is_closed = False
        self._grown = asyncio.Event()
        self._flush: asyncio.TimerHandle | None = None

    @property
    def phase(self) -> Phase | None:
        """The phase of the latest event."""
        return self._changes[-1].event.phase if self._changes else None

    @property
    def last_number(self) -> int:
        """The number of the latest event; 0 while there is none."""
        return self._last

    @property
    def is_closed(self) -> bool:
        """Nothing more will come."""
        return self._is_closed

    def append(self, event: Event) -> None:
        """Tell everybody. An event of the same phase as the one before is a line of it."""
        if self._is_closed:
            return
        self._last += 1
        entry = Entry(self._last, event)
        if event.phase is self.phase and not event.phase.is_final:
            self._lines.append(entry)
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
        entries, position = self._since(0), 0
        if tail_lines is not None:
            late = deque(self._lines, maxlen=tail_lines)
            entries = _in_order(self._changes[-1:], late)
            position = self._last - len(entries)
        async with aclosing(self._follow(entries, position, idle_seconds)) as batches:
            async for batch in batches:
                yield [entry.event for entry in batch]

    async def follow_from(
        self, after: int, *, idle_seconds: float | None = None
    ) -> AsyncGenerator[list[Entry], None]:
        """As `follow`, what comes after the event `after`, with its numbers.

        Of a record that is closed the last event comes in any case: whoever asks again
        may not have got it. A note of lines left out is numbered before what follows it.
        """
        if self._is_closed:
            after = min(after, self._last - 1)
        async with aclosing(self._follow(self._since(after), after, idle_seconds)) as batches:
            async for batch in batches:
                yield batch

    async def _follow(
        self, entries: list[Entry], position: int, idle_seconds: float | None
    ) -> AsyncGenerator[list[Entry], None]:
        """`entries`, which follow `position`, and what comes."""
        while True:
            # No await between reading what there is and taking the event that tells of more.
            grown, last = self._grown, self._last
            if entries:
                yield _noting_gap(entries, missed=last - position - len(entries))
            elif self._is_closed:
                return
            if last == self._last and not self._is_closed:
                while not await _is_set_within(grown, idle_seconds):
                    yield []
            position = last
            entries = self._since(position)

    def _since(self, number: int) -> list[Entry]:
        return _in_order(_after(self._changes, number), _after(self._lines, number))

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


def _after(entries: Sequence[Entry], number: int) -> list[Entry]:
    """The entries after `number`: looked for from the end, where they are."""
    found = list(itertools.takewhile(lambda entry: entry.number > number, reversed(entries)))
    found.reverse()
    return found


def _in_order(changes: Iterable[Entry], lines: Iterable[Entry]) -> list[Entry]:
    return sorted([*changes, *lines], key=lambda entry: entry.number)


def _noting_gap(entries: list[Entry], *, missed: int) -> list[Entry]:
    if missed <= 0:
        return entries
    first = entries[0]
    note = Event(first.event.phase, f"... {missed:,} lines left out ...\n")
    return [Entry(first.number - 1, note), *entries]
