"""Our view of the members beside the other replicas', as tables and as properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.health.review import own_verdict
from binder_federation.health.state import WELL_STATES, Doubt, Health, MemberState
from binder_federation.health.suspicion import SelfSuspicion, suspect_self
from binder_federation.health.votes import FAILING_STATES, Tally, read_votes, tally

UP, SUSPECT, DOWN = MemberState.UP, MemberState.SUSPECT, MemberState.DOWN
UNKNOWN, DRAINING = MemberState.UNKNOWN, MemberState.DRAINING


def count(own: str, *others: str) -> Tally:
    """A letter a member: u(p), s(uspect), d(own), - (no opinion)."""
    states = {"u": UP, "s": SUSPECT, "d": DOWN, "-": UNKNOWN}
    mine = {f"m{i}": states[letter] for i, letter in enumerate(own)}
    votes = {
        name: read_votes({f"r{r}": states[other[i]].value for r, other in enumerate(others)})
        for i, name in enumerate(mine)
    }
    return tally(mine, votes)


def test_an_opinion_is_a_state_that_probes_or_launches_lead_to() -> None:
    votes = {"a": "up", "b": "down", "c": "unknown", "d": "draining", "e": "no-such-state"}
    assert read_votes(votes) == {"a": UP, "b": DOWN}


@pytest.mark.parametrize(
    ("own", "others", "doubted"),
    [
        ("uuu", [], set()),
        ("uuu", ["uuu"], set()),
        ("uuu", ["duu"], {"m0"}),
        ("uuu", ["duu", "uuu"], set()),
        ("uuu", ["duu", "suu", "uuu"], {"m0"}),
        ("uuu", ["duu", "-uu", "-uu"], {"m0"}),
        # It sees most of what is well fail: it is that replica, not the members.
        ("uuu", ["ddu"], set()),
        ("uuu", ["ddd", "duu"], {"m0"}),
        ("u", ["d"], set()),
        # We agree: there is nothing to doubt.
        ("duu", ["duu"], set()),
        ("ddu", ["ddu", "ddu"], set()),
    ],
)
def test_a_member_that_most_others_hold_not_well_is_doubted(
    own: str, others: list[str], doubted: set[str]
) -> None:
    assert count(own, *others).doubted == doubted


@pytest.mark.parametrize(
    ("own", "others", "seen_well", "seen_failing"),
    [
        ("ssu", [], set(), set()),
        ("ssu", ["uuu"], {"m0", "m1"}, set()),
        ("ssu", ["uuu", "u--"], {"m0", "m1"}, set()),
        ("ssu", ["usu"], {"m0"}, {"m1"}),
        ("ssu", ["ssu", "usu"], set(), {"m1"}),
        ("ssu", ["---"], set(), set()),
    ],
)
def test_what_fails_here_is_seen_well_or_failing(
    own: str, others: list[str], seen_well: set[str], seen_failing: set[str]
) -> None:
    found = count(own, *others)
    assert found.seen_well == seen_well
    assert found.seen_failing == seen_failing


def test_a_vote_is_our_own_evidence_and_no_echo() -> None:
    assert own_verdict(Health(probed=UP, doubt=Doubt.VOTES)) is UP
    assert own_verdict(Health(probed=UP, doubt=Doubt.LAUNCHES)) is MemberState.DEGRADED
    assert own_verdict(Health(probed=UP, is_ejected=True)) is SUSPECT
    assert own_verdict(Health(probed=DOWN, is_ejected=True)) is DOWN
    assert own_verdict(Health(probed=UP, is_draining=True)) is UP


views = st.lists(st.sampled_from([UP, SUSPECT, DOWN, UNKNOWN]), min_size=6, max_size=6)


@given(replicas=st.lists(views, min_size=2, max_size=4), size=st.integers(1, 6))
def test_never_are_all_replicas_sure_that_it_is_them(
    replicas: list[list[MemberState]], size: int
) -> None:
    """Each knows what the others hold: at most one calls itself not well."""
    names = [f"m{i}" for i in range(size)]
    confirmed = 0
    for mine, view in enumerate(replicas):
        own = dict(zip(names, view, strict=False))
        votes = {
            name: read_votes({f"r{r}": replicas[r][i] for r in range(len(replicas)) if r != mine})
            for i, name in enumerate(names)
        }
        found = tally(own, votes)
        assert all(own[name] in WELL_STATES for name in found.doubted)
        assert all(own[name] in FAILING_STATES for name in found.seen_well | found.seen_failing)
        suspicion = suspect_self(
            SelfSuspicion(),
            missing=frozenset(),
            failing=frozenset(),
            tally=found,
            members=size,
            now=0.0,
        )
        confirmed += suspicion.is_confirmed
    assert confirmed <= 1
