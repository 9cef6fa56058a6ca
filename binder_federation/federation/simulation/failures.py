"""Members that are lost for a while, and members that join, as asked for on the command line.

--lose member-2@20d6h+1h    lost 20 days and 6 hours after the trace's beginning, for an hour
--join fresh@25d            joins on day 25, empty
"""

import re
from dataclasses import dataclass

from binder_federation.federation.simulation.settings import SimulationError

_UNITS = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_TIME = re.compile(r"(?:\d+(?:\.\d+)?[dhms])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([dhms])")


@dataclass(frozen=True, slots=True)
class Loss:
    """A member is gone from `at` on, for `seconds`."""

    member: str
    at: float
    seconds: float

    @property
    def until(self) -> float:
        """When it is back."""
        return self.at + self.seconds


@dataclass(frozen=True, slots=True)
class Joining:
    """A member joins the fleet at `at`, with nothing."""

    member: str
    at: float


def parse_loss(text: str) -> Loss:
    """`MEMBER@TIME+DURATION`."""
    name, _, times = text.partition("@")
    at, _, duration = times.partition("+")
    if not name or not duration:
        raise SimulationError(f"{text!r} must be MEMBER@TIME+DURATION, like member-2@20d6h+1h.")
    return Loss(name, parse_seconds(at), parse_seconds(duration))


def parse_joining(text: str) -> Joining:
    """`NAME@TIME`."""
    name, _, at = text.partition("@")
    if not name or not at:
        raise SimulationError(f"{text!r} must be NAME@TIME, like fresh@25d.")
    return Joining(name, parse_seconds(at))


def parse_seconds(text: str) -> float:
    """Seconds of `20d6h30m`."""
    if not _TIME.fullmatch(text):
        raise SimulationError(f"{text!r} is no time; write it like 20d6h, 90m or 30s.")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
