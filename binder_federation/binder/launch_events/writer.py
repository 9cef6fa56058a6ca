"""Writes lines in a thread of its own: nothing that serves visitors waits for a disk.

The queue is bounded. A line that finds it full, or that a handler cannot write, is lost and
counted; the launch it tells of knows nothing of that.
"""

import json
import logging
import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from logging.handlers import QueueHandler, QueueListener
from typing import Any

import structlog

log = structlog.get_logger(__name__)

CLOSE_SECONDS = 5.0
"""Lines that still wait at the end may take so long."""
TELL_EVERY_SECONDS = 60.0

LineQueue = queue.Queue[logging.LogRecord | None]
OnLine = Callable[[bool], None]
"""Called with whether the line was written; from any thread."""


class ArchiveFormatter(logging.Formatter):
    """A jupyter-events record as one line, with the names that BinderHub's lines have."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        message: Any = record.msg  # jupyter-events logs mappings
        fields: dict[str, Any] = dict(message)
        line = {
            "timestamp": fields["__timestamp__"],
            "schema": fields["__schema__"].removeprefix("https://"),
            "version": int(fields["__schema_version__"]),
            **{name: value for name, value in fields.items() if not name.startswith("__")},
        }
        return json.dumps(line)


class LineHandler(QueueHandler):
    """Puts records on the queue, and waits for nothing."""

    def __init__(self, lines: LineQueue, *, on_line: OnLine) -> None:
        super().__init__(lines)
        self._on_line = on_line

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """As it is: the writer's handlers make the text of it."""
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """Put it on the queue, or lose it."""
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self._on_line(False)


class LineWriter(QueueListener):
    """The thread that hands records to the handlers."""

    def __init__(
        self, lines: LineQueue, handlers: Sequence[logging.Handler], *, on_line: OnLine
    ) -> None:
        super().__init__(lines, *handlers)
        self._lines = lines
        self._on_line = on_line
        self._has_failed = False
        self._told_at = float("-inf")
        for handler in handlers:
            handler.setFormatter(ArchiveFormatter())
            handler.handleError = lambda record: self._note_failure(record)  # type: ignore[method-assign]

    def handle(self, record: logging.LogRecord) -> None:
        """Write one line everywhere; a handler that fails keeps no other from it."""
        self._has_failed = False
        for handler in self.handlers:
            try:
                handler.handle(record)
            except Exception:  # noqa: BLE001 - a handler of somebody else's; this thread must live
                self._note_failure(record)
        self._on_line(not self._has_failed)

    def close(self) -> None:
        """Write what waits, within a time, and close the handlers. Blocks."""
        thread: threading.Thread | None = self._thread
        try:
            self._lines.put(None, timeout=CLOSE_SECONDS)  # the sentinel of QueueListener
        except queue.Full:
            log.warning("launch_events_lost_at_end", lines=self._lines.qsize())
            return
        if thread is not None:
            thread.join(CLOSE_SECONDS)
        for handler in self.handlers:
            try:
                handler.close()
            except Exception as error:  # noqa: BLE001 - what could not be written is lost
                log.warning("launch_events_not_closed", reason=repr(error)[:200])

    def _note_failure(self, _record: logging.LogRecord) -> None:
        self._has_failed = True
        now = time.monotonic()
        if now - self._told_at >= TELL_EVERY_SECONDS:
            self._told_at = now
            log.error("launch_event_not_written", reason=repr(sys.exc_info()[1])[:200])
