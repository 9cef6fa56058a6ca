"""When to stop asking a store that does not answer in time, and when to ask again.

Pure: it is told what happened and when, and knows no clock.

    CLOSED ─ failures in a row ─→ OPEN ─ a pause that grows ─→ HALF_OPEN (one probe)
       ↑                           ↑                                │ fails
       └───────────────── the probe is answered in time ────────────┘
"""

from dataclasses import dataclass, replace
from enum import StrEnum


class BreakerState(StrEnum):
    """Whether commands are sent."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """`failures_to_open` in a row open it; the pauses between probes double."""

    failures_to_open: int = 3
    first_pause_seconds: float = 0.25
    longest_pause_seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class Breaker:
    """Its state, as a value."""

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    pause_seconds: float = 0.0


def observe_success(_breaker: Breaker) -> Breaker:
    """A command, or the probe, was answered in time."""
    return Breaker()


def observe_failure(breaker: Breaker, rules: BreakerRules) -> Breaker:
    """A command, or the probe, failed or was not answered in time."""
    match breaker.state:
        case BreakerState.CLOSED if breaker.failures + 1 < rules.failures_to_open:
            return replace(breaker, failures=breaker.failures + 1)
        case BreakerState.CLOSED:
            return Breaker(BreakerState.OPEN, breaker.failures + 1, rules.first_pause_seconds)
        case BreakerState.OPEN:  # a command that was under way when it opened
            return breaker
        case BreakerState.HALF_OPEN:
            pause_seconds = min(2 * breaker.pause_seconds, rules.longest_pause_seconds)
            return Breaker(BreakerState.OPEN, breaker.failures + 1, pause_seconds)


def begin_probe(breaker: Breaker) -> Breaker:
    """The pause is over: one probe may go out."""
    return replace(breaker, state=BreakerState.HALF_OPEN)
