"""The log itself: takes ended launches, checks them, and leaves the writing to others.

jupyter-events checks each line against the schema and gives it its time. Nothing here waits,
and nothing here fails a launch: what is wrong with a line is logged and counted.
"""

import asyncio
import queue
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING

import structlog
from prometheus_client import CollectorRegistry, Counter

from binder_federation.binder.launch_events.ended import EndedLaunch
from binder_federation.binder.launch_events.places import make_handlers
from binder_federation.binder.launch_events.writer import LineHandler, LineQueue, LineWriter
from binder_federation.config.launch_events import LaunchEventSettings

if TYPE_CHECKING:
    from jupyter_events import EventLogger

log = structlog.get_logger(__name__)

SCHEMA_ID = "https://binderhub.jupyter.org/launch"


class LaunchEventLog:
    """Tells of ended launches. Without `logger` nobody hears it."""

    def __init__(
        self,
        *,
        settings: LaunchEventSettings,
        clock: Callable[[], float],
        logger: "EventLogger | None" = None,
        on_line: Callable[[bool], None] = lambda _is_written: None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._logger = logger
        self._on_line = on_line

    @property
    def is_kept(self) -> bool:
        """Whether anybody hears it."""
        return self._logger is not None

    def note(self, ended: EndedLaunch) -> None:
        """A launch has ended. Never waits, never raises."""
        if self._logger is None or not (ended.is_success or self._settings.failures):
            return
        data = ended.to_json(origin=self._settings.origin, has_details=self._settings.details)
        try:
            self._logger.emit(schema_id=SCHEMA_ID, data=data, timestamp_override=self._now())
        except Exception:  # a line is not worth a launch
            log.exception("launch_event_refused")
            self._on_line(False)

    def _now(self) -> datetime:
        """In UTC without saying so: jupyter-events adds the `Z`."""
        now = datetime.fromtimestamp(self._clock(), UTC).replace(tzinfo=None)
        return now.replace(second=0, microsecond=0) if self._settings.whole_minutes else now


@asynccontextmanager
async def open_launch_event_log(
    settings: LaunchEventSettings,
    *,
    clock: Callable[[], float],
    registry: CollectorRegistry,
    metric: str,
) -> AsyncIterator[LaunchEventLog]:
    """The log that the settings ask for; what waits is written when the block ends.

    `metric` counts its lines in `registry`. Raises `ConfigurationError`.
    """
    if not settings.has_place:
        yield LaunchEventLog(settings=settings, clock=clock)
        return
    lines = Counter(metric, "Lines of the launch event log", ["outcome"], registry=registry)

    def on_line(is_written: bool) -> None:
        lines.labels("written" if is_written else "lost").inc()

    waiting: LineQueue = queue.Queue(settings.most_waiting)
    writer = LineWriter(waiting, make_handlers(settings), on_line=on_line)
    logger = await asyncio.to_thread(_make_logger, LineHandler(waiting, on_line=on_line))
    writer.start()
    try:
        yield LaunchEventLog(settings=settings, clock=clock, logger=logger, on_line=on_line)
    finally:
        await asyncio.to_thread(writer.close)


def _make_logger(handler: LineHandler) -> "EventLogger":
    # Here, as it takes a second to load, and most have no such log.
    from jupyter_events import EventLogger

    logger = EventLogger(handlers=[handler])
    schema = resources.files("binder_federation.binder.launch_events").joinpath("launch.yaml")
    logger.register_event_schema(schema.read_text(encoding="utf-8"))
    return logger
