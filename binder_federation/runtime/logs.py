"""Logs: constant event names with fields, for people on a terminal, as JSON elsewhere.

Lines of our own come through structlog, those of libraries (aiohttp, asyncio) through
`logging`; both go through the same processors: what a line belongs to (`log_context.py`), its
exception as text, its secrets taken out (`scrubbing.py`), then its format (`ecs.py`).
"""

import logging
import sys
import traceback
from collections.abc import Iterable
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from binder_federation import __version__
from binder_federation.runtime.ecs import make_ecs
from binder_federation.runtime.log_context import LAUNCH_ID, REQUEST_ID, TRACE
from binder_federation.runtime.log_format import LogFormat
from binder_federation.runtime.scrubbing import Scrubber


def configure_logs(
    *,
    level: str = "info",
    format_: LogFormat = "auto",
    service: str = "binder-federation",
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Send this process's logs to `stream`, by default stderr.

    `auto` is for people on a terminal, JSON elsewhere. `secrets` are texts that no line may
    hold, besides what looks like one; `service` is the name in ECS.
    """
    stream = stream or sys.stderr
    for_people = format_ == "console" or (format_ == "auto" and stream.isatty())
    first: list[Processor] = [
        add_context,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_exception,
        Scrubber(secrets),
    ]
    last: list[Processor] = []
    if format_ == "ecs":
        last.append(make_ecs(service=service, version=__version__))
    last.append(_renderer(stream, for_people=for_people))
    structlog.configure(
        processors=[*first, *last],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    _take_in_libraries(stream, first, last)


def _take_in_libraries(stream: TextIO, first: list[Processor], last: list[Processor]) -> None:
    """Give the lines of `logging`, from warnings on, the same form."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *first],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)


def _renderer(stream: TextIO, *, for_people: bool) -> Processor:
    if not for_people:
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(
        colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
    )


def add_context(_logger: object, _method: str, fields: EventDict) -> EventDict:
    """A processor: what the line belongs to, unless it says so itself."""
    if request_id := REQUEST_ID.get():
        fields.setdefault("request_id", request_id)
    if launch_id := LAUNCH_ID.get():
        fields.setdefault("launch", launch_id)
    if (trace := TRACE.get()) is not None:
        fields.setdefault("trace_id", trace.trace_id)
        fields.setdefault("span_id", trace.span_id)
    return fields


def _add_exception(_logger: object, _method: str, fields: EventDict) -> EventDict:
    """A processor: `exc_info` as the error's type, its words and its traceback."""
    error = _error(fields.pop("exc_info", None))
    if error is not None:
        fields["error_type"] = type(error).__qualname__
        fields["error_message"] = str(error)
        fields["exception"] = "".join(traceback.format_exception(error)).rstrip()
    return fields


def _error(exc_info: Any) -> BaseException | None:
    match exc_info:
        case BaseException():
            return exc_info
        case (_, BaseException() as error, _):
            return error
        case None | False:
            return None
        case _:
            return sys.exception()
