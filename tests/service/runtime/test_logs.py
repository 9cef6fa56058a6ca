"""What a process writes: one form for our lines and for libraries', secrets taken out."""

import contextvars
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from binder_federation import __version__
from binder_federation.runtime.log_context import LAUNCH_ID, REQUEST_ID, TRACE
from binder_federation.runtime.log_format import LogFormat
from binder_federation.runtime.logs import configure_logs
from binder_federation.runtime.trace_context import TraceContext

SECRET = "a-secret-of-the-settings"


class Boom(Exception):
    """Tells more than it should."""


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def write(format_: LogFormat) -> str:
    """What two lines of ours and one of a library's become."""
    stream = io.StringIO()
    configure_logs(format_=format_, service="test", secrets=[SECRET], stream=stream)
    contextvars.copy_context().run(_write_lines)
    return stream.getvalue()


def _write_lines() -> None:
    REQUEST_ID.set("request1")
    LAUNCH_ID.set("launch1")
    TRACE.set(TraceContext("a" * 32, "b" * 16))
    log = structlog.get_logger("ours")
    log.info("member_ejected", member="alpha", token="visible1", reason=f"because {SECRET}")
    try:
        _break()
    except Boom:
        log.exception("it_broke")
    logging.getLogger("aiohttp.server").warning("Cannot parse %s", f"?token=visible2&{SECRET}")


def _break() -> None:
    raise Boom(f"https://user:hunter2@host and {SECRET}")


def lines(format_: LogFormat) -> list[dict[str, Any]]:
    return [json.loads(line) for line in write(format_).splitlines()]


@pytest.mark.parametrize("format_", ["console", "json", "ecs", "auto"])
def test_no_form_tells_a_secret(format_: LogFormat) -> None:
    text = write(format_)

    for secret in (SECRET, "visible1", "visible2", "hunter2"):
        assert secret not in text, f"{format_} tells {secret}"
    assert "member_ejected" in text
    assert "Cannot parse" in text
    assert "Boom" in text


def test_json_tells_what_each_line_belongs_to() -> None:
    ours, broken, library = lines("json")

    assert ours["event"] == "member_ejected"
    assert ours["member"] == "alpha"
    assert ours["level"] == "info"
    for line in (ours, broken, library):
        assert line["request_id"] == "request1"
        assert line["launch"] == "launch1"
        assert line["trace_id"] == "a" * 32
    assert "Traceback" in broken["exception"]
    assert library["logger"] == "aiohttp.server"


def test_ecs_has_the_schemas_names() -> None:
    ours, broken, library = lines("ecs")

    for line in (ours, broken, library):
        assert line.keys() >= {"@timestamp", "log.level", "message", "ecs.version"}
        assert line["service.name"] == "test"
        assert line["service.version"] == __version__
        assert line["trace.id"] == "a" * 32
        assert line["http.request.id"] == "request1"
        assert line["binderfed"]["launch"] == "launch1"
    assert list(ours)[:3] == ["@timestamp", "log.level", "message"]
    assert ours["binderfed"]["member"] == "alpha"
    assert broken["error.type"] == "Boom"
    assert "Traceback" in broken["error.stack_trace"]
    assert library["log.level"] == "warning"
