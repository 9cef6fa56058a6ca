"""What happened to one launch so far, numbered, for any number of readers.

A reader asks for what came after a number and waits for more; so a stream that
was cut resumes where it ended, and a reader that is slow costs no memory: it
reads from the log, which keeps the last `kept` events.
"""

import asyncio
from collections import deque

from binder_federation.binder.events import Event


class EventLog:
    """Events numbered from 1. One writer, many readers, one event loop."""

    def __init__(self, *, kept: int) -> None:
        self._events: deque[Event] = deque(maxlen=kept)
        self._last = 0
        self._has_more = asyncio.Event()

    @property
    def last_number(self) -> int:
        """The number of the newest event; 0 while there is none."""
        return self._last

    @property
    def is_finished(self) -> bool:
        """Whether the newest event is the final one."""
        return bool(self._events) and self._events[-1].phase.is_final

    @property
    def last_event(self) -> Event | None:
        """The newest event."""
        return self._events[-1] if self._events else None

    def append(self, event: Event) -> None:
        """Add an event and wake the readers; what comes after the final one is dropped."""
        if self.is_finished:
            return
        self._events.append(event)
        self._last += 1
        self._has_more.set()
        self._has_more = asyncio.Event()

    def after(self, number: int) -> list[tuple[int, Event]]:
        """The kept events that came after `number`, with their numbers."""
        first = self._last - len(self._events) + 1
        skip = max(0, number + 1 - first)
        return [(first + index, event) for index, event in enumerate(self._events) if index >= skip]

    async def wait_beyond(self, number: int, *, timeout_seconds: float) -> bool:
        """Wait until there is something after `number`; False when the time is over first."""
        if self._last > number:
            return True
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._has_more.wait()
        except TimeoutError:
            return False
        return True
