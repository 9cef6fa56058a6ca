"""How often something is asked for: an exponentially weighted rate, one number and its time."""

from dataclasses import dataclass
from math import exp


@dataclass(frozen=True, slots=True)
class Rate:
    """Arrivals per second as of `at`."""

    per_second: float = 0.0
    at: float = 0.0


def observe_arrival(rate: Rate, *, now: float, memory_seconds: float) -> Rate:
    """The rate after one more arrival; what was `memory_seconds` ago counts for a third of it."""
    before = rate_now(rate, now=now, memory_seconds=memory_seconds)
    return Rate(before + 1.0 / memory_seconds, max(now, rate.at))


def rate_now(rate: Rate, *, now: float, memory_seconds: float) -> float:
    """Arrivals per second at `now`, if nothing came since."""
    return rate.per_second * exp(-max(0.0, now - rate.at) / memory_seconds)
