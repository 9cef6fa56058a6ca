"""Weighted rendezvous: stable, fair by weight, and undisturbed by others' coming and going."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.federation.core.rendezvous import (
    find_usual_place,
    rank_members,
    rank_top,
    score,
)
from binder_federation.federation.core.snapshot import MemberView
from tests.unit.core.fleets import make_member

NAMES = st.lists(st.text("abcdefgh", min_size=1, max_size=6), min_size=1, max_size=12, unique=True)
KEYS = st.text(min_size=1, max_size=30)
EXAMPLE = "gh/binder-examples/requirements"
EXPECTED_RANKS = ["alpha", "gamma", "beta"]
EXPECTED_SCORE = 15.051673837860012


def make_members(names: list[str]) -> list[MemberView]:
    return [make_member(name) for name in names]


def names_of(members: list[MemberView]) -> list[str]:
    return [member.name for member in members]


def test_the_hash_is_the_same_everywhere_and_always() -> None:
    """Replicas of different versions must agree: a change of these numbers moves every key."""
    ranked = rank_members(
        make_members(["alpha", "beta", "gamma"]), "gh/binder-examples/requirements"
    )
    assert names_of(ranked) == EXPECTED_RANKS
    assert score("alpha", EXAMPLE, 1.0) == pytest.approx(EXPECTED_SCORE)


def test_without_weight_there_is_no_share() -> None:
    members = [make_member("a", effective_weight=0.0), make_member("b", effective_weight=1e-6)]
    for number in range(50):
        assert rank_members(members, f"gh/o/{number}")[0].name == "b"


def test_the_usual_place_disregards_slow_start() -> None:
    members = [make_member("a", weight=1.0, effective_weight=0.001), make_member("b")]
    keys = [f"gh/o/{number}" for number in range(200)]
    usual = [find_usual_place(members, key) for key in keys]
    assert 60 < sum(place is not None and place.name == "a" for place in usual) < 140
    assert find_usual_place([], "gh/o/r") is None


@pytest.mark.parametrize("weights", [[1, 1, 1, 1], [4, 2, 1, 1], [10, 1, 0.5, 0.1]])
def test_weights_hold(weights: list[float]) -> None:
    """Chi-square over many keys; 30 is far beyond chance for three degrees of freedom."""
    members = [make_member(f"m{n}", weight=weight) for n, weight in enumerate(weights)]
    keys = 10_000
    counts = dict.fromkeys((member.name for member in members), 0)
    for number in range(keys):
        counts[rank_top(members, f"gh/owner/repository-{number}", 1)[0].name] += 1
    expected = {member.name: keys * member.weight / sum(weights) for member in members}
    chi_square = sum((counts[name] - expected[name]) ** 2 / expected[name] for name in counts)
    assert chi_square < 30, (counts, expected)


@given(names=NAMES, key=KEYS, gone=st.integers(0, 11))
def test_removing_a_member_moves_only_its_keys(names: list[str], key: str, gone: int) -> None:
    lost = names[gone % len(names)]
    before = names_of(rank_members(make_members(names), key))
    after = names_of(rank_members(make_members([n for n in names if n != lost]), key))
    assert after == [name for name in before if name != lost]


@given(names=NAMES, key=KEYS)
def test_the_order_of_the_members_does_not_matter(names: list[str], key: str) -> None:
    shuffled = sorted(names)
    assert names_of(rank_members(make_members(names), key)) == names_of(
        rank_members(make_members(shuffled), key)
    )


@given(names=NAMES, key=KEYS, count=st.integers(0, 12))
def test_the_top_is_the_beginning_of_the_ranking(names: list[str], key: str, count: int) -> None:
    members = make_members(names)
    assert rank_top(members, key, count) == rank_members(members, key)[:count]


@given(name=st.text(max_size=20), key=KEYS, weight=st.floats(0.001, 1000))
def test_more_weight_is_a_better_score(name: str, key: str, weight: float) -> None:
    assert 0 < score(name, key, weight) < score(name, key, weight * 2)
