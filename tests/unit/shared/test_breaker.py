"""The breaker before Redis, as transcripts."""

import pytest

from binder_federation.federation.shared.breaker import (
    Breaker,
    BreakerRules,
    BreakerState,
    begin_probe,
    observe_failure,
    observe_success,
)

RULES = BreakerRules(failures_to_open=3, first_pause_seconds=0.25, longest_pause_seconds=1.0)


def after(transcript: str) -> Breaker:
    """`f` a failure, `s` a success, `p` the pause is over."""
    breaker = Breaker()
    for event in transcript:
        match event:
            case "f":
                breaker = observe_failure(breaker, RULES)
            case "s":
                breaker = observe_success(breaker)
            case "p":
                breaker = begin_probe(breaker)
    return breaker


@pytest.mark.parametrize(
    ("transcript", "state", "pause_seconds"),
    [
        ("", BreakerState.CLOSED, 0.0),
        ("ff", BreakerState.CLOSED, 0.0),
        ("ffsff", BreakerState.CLOSED, 0.0),
        ("fff", BreakerState.OPEN, 0.25),
        ("fffff", BreakerState.OPEN, 0.25),
        ("fffp", BreakerState.HALF_OPEN, 0.25),
        ("fffpf", BreakerState.OPEN, 0.5),
        ("fffpfpfpf", BreakerState.OPEN, 1.0),
        ("fffps", BreakerState.CLOSED, 0.0),
        ("fffpsff", BreakerState.CLOSED, 0.0),
    ],
)
def test_transcript(transcript: str, state: BreakerState, pause_seconds: float) -> None:
    breaker = after(transcript)
    assert (breaker.state, breaker.pause_seconds) == (state, pause_seconds), (
        f"after {transcript!r} the breaker is {breaker}"
    )
