"""How often an image is asked for: an exponentially weighted rate, one number and its time."""

from math import exp
from typing import NamedTuple

MEMORY_SECONDS = 1500.0
"""What came so long ago counts for a third of what comes now. It is about as long as a session
lasts: then rate × session are those that run now, and a burst is not taken for a flood."""


class Rate(NamedTuple):
    """Arrivals per second as of `at`."""

    per_second: float = 0.0
    at: float = 0.0


def observe_arrival(rate: Rate, *, now: float) -> Rate:
    """The rate after one more arrival."""
    return Rate(rate_now(rate, now=now) + 1.0 / MEMORY_SECONDS, max(now, rate.at))


def rate_now(rate: Rate, *, now: float) -> float:
    """Arrivals per second at `now`, if nothing came since."""
    return rate.per_second * exp(-max(0.0, now - rate.at) / MEMORY_SECONDS)
