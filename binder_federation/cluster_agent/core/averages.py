"""What something usually takes, learned from its own past.

Durations spread over powers of ten, so the average is one of logarithms: a single
build of an hour does not spoil the estimate for ten of a minute.
"""

import math
from dataclasses import dataclass

ALPHA = 0.1
"""The weight of the newest observation; the first ten count more, so that it settles."""


@dataclass(frozen=True, slots=True)
class Average:
    """An exponentially weighted geometric mean of seconds; None before the first."""

    seconds: float | None = None
    observations: int = 0


def observe_seconds(average: Average, seconds: float) -> Average:
    """`average` after one more observation of `seconds`."""
    seconds = max(seconds, 0.001)
    count = average.observations + 1
    if average.seconds is None:
        return Average(seconds, count)
    alpha = max(ALPHA, 1 / count)
    mean = (1 - alpha) * math.log(average.seconds) + alpha * math.log(seconds)
    return Average(math.exp(mean), count)
