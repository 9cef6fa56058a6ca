"""Logs: constant event names with fields, for people on a terminal, as JSON elsewhere."""

import logging
import sys
from contextvars import ContextVar
from typing import Literal

import structlog

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The request that the present task belongs to; empty outside of one. Binding it with
structlog would cost a request ten times as much."""

LogFormat = Literal["auto", "console", "json"]


def configure_logs(*, level: str = "info", format_: LogFormat = "auto") -> None:
    """Send this process's logs to stderr; `auto` is coloured on a terminal, JSON elsewhere."""
    for_people = format_ == "console" or (format_ == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        if for_people
        else structlog.processors.JSONRenderer()
    )
    processors: list[structlog.typing.Processor] = [
        _add_request_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if not for_people:
        processors.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")


def _add_request_id(
    _logger: object, _method: str, fields: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    if request_id := REQUEST_ID.get():
        fields["request_id"] = request_id
    return fields
