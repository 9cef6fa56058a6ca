"""Losses and joinings as they are written, and plans that do not fit."""

import pytest

from binder_federation.federation.simulation.failures import (
    Joining,
    Loss,
    parse_joining,
    parse_loss,
    parse_seconds,
)
from binder_federation.federation.simulation.settings import SimulationError
from tests.simulation.worlds import TRACE, small_plan


@pytest.mark.parametrize(
    ("text", "seconds"), [("1d", 86_400), ("20d6h", 1_749_600), ("90m", 5400), ("1.5h30s", 5430)]
)
def test_times_are_written_with_their_units(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds, f"{text} in seconds"


def test_losses_and_joinings() -> None:
    assert parse_loss("member-2@1d+1h") == Loss("member-2", 86_400, 3600), "who, when, how long"
    assert parse_joining("fresh@2d") == Joining("fresh", 172_800), "who, when"


@pytest.mark.parametrize("text", ["member-2", "member-2@1d", "@1d+1h", "member-2@x+1h", "m@1d+1"])
def test_a_loss_that_cannot_be_read_is_explained(text: str) -> None:
    with pytest.raises(SimulationError) as raised:
        parse_loss(text)
    assert "like" in raised.value.message, "the sentence shows how it is written"


@pytest.mark.parametrize(
    ("losses", "joinings", "words"),
    [
        ((Loss("nobody", 1.0, 1.0),), (), "There is no member 'nobody'"),
        ((Loss("member-1", 9e9, 1.0),), (), "ends before anything happens to 'member-1'"),
        ((), (Joining("member-1", 1.0),), "two members of the name 'member-1'"),
    ],
)
def test_a_plan_that_does_not_fit_is_explained(
    losses: tuple[Loss, ...], joinings: tuple[Joining, ...], words: str
) -> None:
    with pytest.raises(SimulationError) as raised:
        small_plan(losses=losses, joinings=joinings).check(TRACE)
    assert words in raised.value.message, "the sentence says what does not fit"
