"""What the other replicas of the federation hold of the members, beside our own view.

A replica votes with what its own probes and launches say, never with what others
told it: votes do not echo. One that has no opinion (not probed, draining) does not
count. A replica that sees most of the fleet fail where we see it well is itself in
question, and its doubts are not taken over.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from binder_federation.health.state import WELL_STATES, MemberState

Opinions = Mapping[str, MemberState]
"""What one replica each holds of one member."""

FAILING_STATES = frozenset({MemberState.SUSPECT, MemberState.DOWN})


@dataclass(frozen=True, slots=True)
class Tally:
    """Members by what we and the other replicas hold of them."""

    doubted: frozenset[str] = frozenset()
    """Well here, failing for most of the others."""
    seen_well: frozenset[str] = frozenset()
    """Failing here, well for every other replica."""
    seen_failing: frozenset[str] = frozenset()
    """Failing here, and for most of the others too."""


def read_votes(votes: Mapping[str, str]) -> Opinions:
    """The votes on one member that are opinions; a state that we do not know is none."""
    opinions = {}
    for replica, vote in votes.items():
        try:
            state = MemberState(vote)
        except ValueError:
            continue
        if state in WELL_STATES or state in FAILING_STATES:
            opinions[replica] = state
    return opinions


def tally(own: Mapping[str, MemberState], votes: Mapping[str, Opinions]) -> Tally:
    """Compare our view of each member with the other replicas'."""
    odd = _odd_replicas(own, votes)
    doubted, seen_well, seen_failing = set(), set(), set()
    for member, state in own.items():
        opinions = votes.get(member, {})
        if state in WELL_STATES:
            if _most_fail({r: vote for r, vote in opinions.items() if r not in odd}):
                doubted.add(member)
        elif state in FAILING_STATES and opinions:
            if all(vote in WELL_STATES for vote in opinions.values()):
                seen_well.add(member)
            elif _most_fail(opinions):
                seen_failing.add(member)
    return Tally(frozenset(doubted), frozenset(seen_well), frozenset(seen_failing))


def _most_fail(opinions: Opinions) -> bool:
    failing = sum(state in FAILING_STATES for state in opinions.values())
    return 2 * failing > len(opinions)


def _odd_replicas(own: Mapping[str, MemberState], votes: Mapping[str, Opinions]) -> frozenset[str]:
    """Replicas for which most members fail that are well for us."""
    all_votes: dict[str, int] = {}
    against_us: dict[str, int] = {}
    for member, opinions in votes.items():
        for replica, state in opinions.items():
            all_votes[replica] = all_votes.get(replica, 0) + 1
            if state in FAILING_STATES and own.get(member) in WELL_STATES:
                against_us[replica] = against_us.get(replica, 0) + 1
    return frozenset(name for name, count in against_us.items() if 2 * count > all_votes[name])
