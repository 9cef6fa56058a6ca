"""The estimate of the seconds left comes down, and never below nought."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.binder.events import Phase
from binder_federation.federation.core.cost import Cost, LocalityTier
from binder_federation.federation.core.eta import seconds_left

PHASES = [
    Phase.WAITING,
    Phase.FETCHING,
    Phase.BUILDING,
    Phase.PUSHING,
    Phase.BUILT,
    Phase.LAUNCHING,
]


def make_cost(
    *,
    spawn: float = 10.0,
    build: float = 100.0,
    push: float = 20.0,
    pull: float = 5.0,
    queue: float = 0.0,
) -> Cost:
    return Cost(
        tier=LocalityTier.ABSENT,
        spawn=spawn,
        build=build,
        push=push,
        pull=pull,
        queue=queue,
        load=7.0,
        failure=60.0,
        total=spawn + build + push + pull + queue + 67.0,
    )


costs = st.builds(
    make_cost,
    spawn=st.floats(0, 100),
    build=st.floats(0, 2000),
    push=st.floats(0, 300),
    pull=st.floats(0, 300),
    queue=st.floats(0, 3000),
)


@pytest.mark.parametrize(
    ("phase", "elapsed", "left"),
    [
        (Phase.WAITING, 0, 135),  # all but the penalties
        (Phase.FETCHING, 0, 135),
        (Phase.BUILDING, 0, 130),
        (Phase.BUILDING, 50, 80),
        (Phase.PUSHING, 0, 35),
        (Phase.BUILT, 3, 15),
        (Phase.LAUNCHING, 0, 15),
        (Phase.LAUNCHING, 5, 10),
        (Phase.READY, 0, 0),
        (Phase.FAILED, 9, 0),
    ],
)
def test_seconds_left(phase: Phase, elapsed: float, left: float) -> None:
    assert seconds_left(make_cost(), phase, phase_elapsed_seconds=elapsed) == pytest.approx(left)


def test_a_phase_that_takes_long_is_told_ever_more_slowly() -> None:
    cost = make_cost(build=0, push=0, pull=0, spawn=10)
    told = [seconds_left(cost, Phase.LAUNCHING, phase_elapsed_seconds=t) for t in (8, 10, 12, 14)]
    steps = [before - after for before, after in pairwise(told)]
    assert steps == sorted(steps, reverse=True)
    assert steps[-1] > 0, "it still comes down"
    assert told[-1] > 0


@given(
    cost=costs,
    phase=st.sampled_from(Phase),
    sooner=st.floats(0, 5000),
    more=st.floats(0, 5000),
)
def test_it_never_rises_within_a_phase_and_is_never_negative(
    cost: Cost, phase: Phase, sooner: float, more: float
) -> None:
    first = seconds_left(cost, phase, phase_elapsed_seconds=sooner)
    second = seconds_left(cost, phase, phase_elapsed_seconds=sooner + more)
    assert 0 <= second <= first + 1e-9


@given(cost=costs, at=st.integers(0, len(PHASES) - 2), elapsed=st.floats(0, 5000))
def test_the_next_phase_is_never_longer(cost: Cost, at: int, elapsed: float) -> None:
    before = seconds_left(cost, PHASES[at], phase_elapsed_seconds=elapsed)
    after = seconds_left(cost, PHASES[at + 1], phase_elapsed_seconds=0)
    assert after <= before + 1e-9
