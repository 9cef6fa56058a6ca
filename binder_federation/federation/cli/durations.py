"""Durations and moments as an operator writes them: `30m`, `2h`, `7d`, `2026-05-04T08:00`."""

import argparse
import re
from datetime import UTC, datetime

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?[smhdw])+", re.ASCII)
_PART = re.compile(r"([\d.]+)([smhdw])", re.ASCII)


def duration(text: str) -> float:
    """Seconds in `90s`, `30m`, `1h30m`, `7d`, `2w`. For argparse: it raises its error."""
    if not _DURATION.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write it as 30m, 2h or 7d")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if seconds <= 0:
        raise argparse.ArgumentTypeError("a duration is longer than nothing")
    return seconds


def moment(text: str) -> str:
    """A date, or date and time, in ISO 8601 with its zone; UTC when it names none."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time: write it as 2026-05-04 or 2026-05-04T08:00 (UTC)"
        ) from error
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).isoformat()


def shown_time(seconds: float | None) -> str:
    """A moment (seconds since the epoch) as tables show it; `-` for none."""
    if seconds is None:
        return "-"
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")


def shown_until(seconds: float | None) -> str:
    """How long an order holds, for a sentence."""
    return f"until {shown_time(seconds)}" if seconds is not None else "until it is taken back"
