"""What a member takes for a thing, learned from what it took: log-EWMA, shrunk to the fleet.

Durations are spread over orders of magnitude, so their logarithms are averaged: one
build of an hour does not make a member slow for a day. A member that did a thing only
a few times is judged by the fleet, more by itself with every time.
"""

from math import exp, log
from typing import NamedTuple

ALPHA = 0.1
MOST_VALUES = 20
"""More of them do not make a moving mean surer."""
SHRINKAGE = 20.0
"""The fleet's mean weighs as much as so many of the member's own experiences: what members
take differs less than what repositories take, and that is noise here."""
REPORTED_VALUES = 10
PRIOR_WEIGHT = 2.0
"""What the settings say weighs as much as so many of the fleet's experiences."""
SHORTEST_SECONDS = 0.01


class LogMean(NamedTuple):
    """A moving mean of logarithms, and how many values went into it."""

    mean: float = 0.0
    values: int = 0


def observe_seconds(estimate: LogMean, seconds: float) -> LogMean:
    """The estimate after one more experience.

    The first values count alike, until there are 1/α of them.
    """
    value = log(max(SHORTEST_SECONDS, seconds))
    count = estimate.values + 1
    alpha = max(ALPHA, 1.0 / count)
    return LogMean(estimate.mean + alpha * (value - estimate.mean), count)


def with_report(estimate: LogMean, seconds: float) -> LogMean:
    """The estimate together with what the member reports of itself.

    It saw every launch, but does not say how many: it counts as much as a few.
    """
    value = log(max(SHORTEST_SECONDS, seconds))
    values = min(estimate.values, MOST_VALUES)
    mean = (values * estimate.mean + REPORTED_VALUES * value) / (values + REPORTED_VALUES)
    return LogMean(mean, values + REPORTED_VALUES)


def shrunk_seconds(member: LogMean, fleet: LogMean, *, prior_seconds: float) -> float:
    """Seconds to expect of the member; `prior_seconds` where nobody has any experience."""
    prior = log(max(SHORTEST_SECONDS, prior_seconds))
    base = _blend(fleet, prior, weight=PRIOR_WEIGHT)
    return exp(_blend(member, base, weight=SHRINKAGE))


def _blend(estimate: LogMean, base: float, *, weight: float) -> float:
    count = min(estimate.values, MOST_VALUES)
    return (count * estimate.mean + weight * base) / (count + weight)
