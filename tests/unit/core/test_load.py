"""How busy a member is between two of its reports."""

from hypothesis import given
from hypothesis import strategies as st

from binder_federation.federation.core.load import estimate_load
from binder_federation.federation.core.snapshot import Load

SESSION_SECONDS = 1500.0


def estimate(load: Load, *, sent: int = 0, age_seconds: float = 0.0) -> Load:
    return estimate_load(load, sent=sent, age_seconds=age_seconds, session_seconds=SESSION_SECONDS)


def test_a_fresh_report_is_believed() -> None:
    load = Load(capacity=100, running=40, pending=3, building=2, build_slots=4)
    assert estimate(load) == load


def test_what_was_sent_since_is_pending() -> None:
    assert estimate(Load(capacity=100, running=40, pending=3), sent=7).used == 50


def test_sessions_end_while_nobody_reports() -> None:
    """1 − 1/e of them within the time that one lasts in the mean."""
    load = Load(capacity=1000, running=1000)
    assert estimate(load, age_seconds=SESSION_SECONDS).running == 368
    assert estimate(load, age_seconds=15.0).running == 990


@given(
    running=st.integers(0, 5000),
    sent=st.integers(0, 500),
    age_seconds=st.floats(-1, 1e6),
)
def test_it_stays_between_nothing_and_everything(
    running: int, sent: int, age_seconds: float
) -> None:
    now = estimate(Load(capacity=10, running=running), sent=sent, age_seconds=age_seconds)
    assert sent <= now.used <= running + sent
