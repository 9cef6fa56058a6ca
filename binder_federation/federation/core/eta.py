"""How many seconds a launch has left: what the progress bar counts down.

The terms of the chosen member's cost are spread over the phases; what is left is
the rest of the current phase and all of the later ones. A phase that takes longer
than estimated does not reach nought and stay there: its last fifth is told ever
more slowly. So the answer is never negative and never goes up within a phase.
"""

from math import exp

from binder_federation.binder.events import Phase
from binder_federation.federation.core.cost import Cost

FETCH_SHARE = 0.05
"""The part of a build that goes into fetching the repository."""
TAIL_SHARE = 0.2

_ORDER = (
    Phase.WAITING,
    Phase.FETCHING,
    Phase.BUILDING,
    Phase.PUSHING,
    Phase.BUILT,
    Phase.LAUNCHING,
)


def seconds_left(cost: Cost, phase: Phase, *, phase_elapsed_seconds: float) -> float:
    """Seconds until `ready` for a launch that has been in `phase` for so long."""
    if phase.is_final:
        return 0.0
    if phase is Phase.UNKNOWN:
        return cost.waiting
    later = _ORDER[_ORDER.index(phase) + 1 :]
    return _rest(_phase_seconds(cost, phase), max(0.0, phase_elapsed_seconds)) + sum(
        _phase_seconds(cost, each) for each in later
    )


def _phase_seconds(cost: Cost, phase: Phase) -> float:
    match phase:
        case Phase.WAITING:
            return cost.queue
        case Phase.FETCHING:
            return cost.build * FETCH_SHARE
        case Phase.BUILDING:
            return cost.build * (1.0 - FETCH_SHARE)
        case Phase.PUSHING:
            return cost.push
        case Phase.LAUNCHING:
            return cost.pull + cost.spawn
        case _:
            return 0.0


def _rest(estimate: float, elapsed: float) -> float:
    """What is left of a phase: falls by the second, then ever more slowly, never to nought."""
    tail = estimate * TAIL_SHARE
    beyond = elapsed - (estimate - tail)
    if beyond <= 0.0 or tail <= 0.0:
        return max(0.0, estimate - elapsed)
    return tail * exp(-beyond / tail)
