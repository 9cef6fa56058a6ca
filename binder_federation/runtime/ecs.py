"""Log lines in the Elastic Common Schema, for ELK and what reads the same.

https://www.elastic.co/guide/en/ecs/current/index.html . Names with dots are written flat, as
Elastic's own libraries do; what the schema has no place for stands under `binderfed`.
"""

import platform
from typing import Any

from structlog.typing import EventDict, Processor

ECS_VERSION = "8.11.0"
_ECS_NAMES = {
    "timestamp": "@timestamp",
    "level": "log.level",
    "event": "message",
    "logger": "log.logger",
    "request_id": "http.request.id",
    "trace_id": "trace.id",
    "span_id": "span.id",
    "method": "http.request.method",
    "exception": "error.stack_trace",
    "error_type": "error.type",
    "error_message": "error.message",
}


def make_ecs(*, service: str, version: str) -> Processor:
    """A processor that gives a line's fields the schema's names. It is the last before JSON."""
    usual = {
        "ecs.version": ECS_VERSION,
        "service.name": service,
        "service.version": version,
        "host.hostname": platform.node(),
    }

    def to_ecs(_logger: object, _method: str, fields: EventDict) -> dict[str, Any]:
        line: dict[str, Any] = dict.fromkeys(("@timestamp", "log.level", "message"), "")
        own: dict[str, Any] = {}
        for name, value in fields.items():
            if name in _ECS_NAMES:
                line[_ECS_NAMES[name]] = value
            else:
                own[name] = value
        line.update(usual)
        if own:
            line["binderfed"] = own
        return line

    return to_ecs
