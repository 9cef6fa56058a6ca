"""A window of launches."""

import pytest

from binder_federation.federation.core.rate_limit import (
    Allowance,
    Window,
    count_launch,
    say_wait,
)


def test_a_window_begins_with_the_first_launch_and_does_not_move() -> None:
    window = count_launch(None, now=100.0, period_seconds=60.0)
    assert window == Window(1, 160.0)
    assert count_launch(window, now=159.0, period_seconds=60.0) == Window(2, 160.0)
    assert count_launch(window, now=160.0, period_seconds=60.0) == Window(1, 220.0)


@pytest.mark.parametrize(
    ("used", "remaining", "is_over"), [(1, 1, False), (2, 0, False), (3, 0, True)]
)
def test_what_is_left(used: int, remaining: int, is_over: bool) -> None:
    allowance = Allowance(2, used, 160.0)
    assert (allowance.remaining, allowance.is_over) == (remaining, is_over)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 second"), (30.1, "31 seconds"), (91, "2 minutes"), (3600, "60 minutes")],
)
def test_the_wait_in_words(seconds: float, words: str) -> None:
    assert say_wait(seconds) == words
