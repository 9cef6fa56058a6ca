"""The forms that a log line can have (docs/logs.md)."""

from typing import Literal

LogFormat = Literal["auto", "console", "json", "ecs"]
"""`auto` is `console` on a terminal and `json` elsewhere; `ecs` is JSON in the Elastic Common
Schema."""
