"""What holds for every decision, and how one in a large fleet is made."""

from hypothesis import given, settings
from hypothesis import strategies as st

from binder_federation.federation.core.choose import (
    TIE_SECONDS,
    Decision,
    choose,
    consider,
    rank_candidates,
)
from binder_federation.federation.core.cost import cost, find_tier
from binder_federation.federation.core.eligible import eligible
from binder_federation.federation.core.phrases import Reason
from binder_federation.federation.core.rendezvous import rank_members
from binder_federation.federation.core.snapshot import Fleet, ImageView
from tests.unit.core.fleets import (
    NOW,
    SETTINGS,
    fleets,
    idle_fleet,
    images,
    make_image,
    make_rng,
)


def decide(
    fleet: Fleet, image: ImageView, *, exclude: frozenset[str] = frozenset(), seed: int = 1
) -> Decision:
    rng = make_rng(seed)
    return choose(fleet, image, now=NOW, rng=rng, exclude=exclude, settings=SETTINGS)


# A large fleet


def large_fleet(count: int = 200) -> Fleet:
    return idle_fleet(*(f"m{number}" for number in range(count)))


def test_a_large_fleet_is_not_considered_whole() -> None:
    fleet = large_fleet()
    image = make_image(node=[f"m{number}" for number in range(100)], built=["m150"])
    found = eligible(fleet, now=NOW, settings=SETTINGS)
    considered = consider(fleet.members, found, image, rng=make_rng())
    names = {member.name for member in considered}
    assert len(names) == len(considered)
    assert 16 <= len(names) <= 16 + 4 + 2
    top = {member.name for member in rank_members(fleet.members, image.affinity_key)[:4]}
    assert top <= names


def test_the_nearest_holders_are_considered_first() -> None:
    fleet = large_fleet()
    image = make_image(
        registry=[f"m{number}" for number in range(100)], node=["m190", "m191"], built=["m192"]
    )
    found = eligible(fleet, now=NOW, settings=SETTINGS)
    names = {member.name for member in consider(fleet.members, found, image, rng=make_rng())}
    assert {"m190", "m191"} <= names


def test_a_large_fleet_finds_its_one_holder() -> None:
    decision = decide(large_fleet(), make_image(node=["m177"]))
    assert (decision.member, decision.reason) == ("m177", Reason.HAS_IMAGE)


def test_replicas_of_a_large_fleet_agree_on_a_new_image() -> None:
    fleet, image = large_fleet(), make_image("gh/owner/new")
    first = rank_members(fleet.members, "gh/owner/new")[0].name
    assert {decide(fleet, image, seed=seed).member for seed in range(20)} == {first}


# What holds always


@given(fleet=fleets(), image=images(), exclude=st.frozensets(st.sampled_from(["m0", "m1", "m2"])))
def test_never_a_refused_member_and_never_nobody_when_somebody_may(
    fleet: Fleet, image: ImageView, exclude: frozenset[str]
) -> None:
    decision = decide(fleet, image, exclude=exclude)
    found = eligible(fleet, now=NOW, exclude=exclude, settings=SETTINGS)
    assert (decision.member is None) == (not found.members)
    assert decision.member not in found.refused
    assert decision.member not in exclude
    assert not {candidate.member for candidate in decision.costs} & found.refused.keys()
    assert decision.phrase
    assert not decision.phrase.endswith(".")


@settings(max_examples=40)
@given(fleet=fleets(), image=images(), seed=st.integers(0, 5))
def test_the_same_input_gives_the_same_decision(fleet: Fleet, image: ImageView, seed: int) -> None:
    assert decide(fleet, image, seed=seed) == decide(fleet, image, seed=seed)


@settings(max_examples=50)
@given(fleet=fleets(), image=images())
def test_the_choice_is_within_a_second_of_the_least_cost(fleet: Fleet, image: ImageView) -> None:
    decision = decide(fleet, image)
    totals = [candidate.cost.total for candidate in decision.costs]
    if totals:
        assert totals[0] <= min(totals) + 1.0


@settings(max_examples=100)
@given(fleet=fleets(max_size=8), image=images())
def test_who_is_left_out_could_not_have_won(fleet: Fleet, image: ImageView) -> None:
    """A member that must pull is not looked at where that alone makes it too expensive."""
    found = eligible(fleet, now=NOW, settings=SETTINGS)
    if not found.members or all(find_tier(m.name, image).needs_build for m in found.members):
        return
    ranked = rank_candidates(fleet, found.members, image, now=NOW)
    left_out = {member.name for member in found.members} - {each.member for each in ranked}
    least = min(candidate.cost.total for candidate in ranked)
    for name in left_out:
        member = fleet.by_name[name]
        its_cost = cost(member, image, fleet_utilisation=fleet.utilisation, now=NOW)
        assert its_cost.total > least + TIE_SECONDS


@settings(max_examples=50)
@given(fleet=fleets(max_size=8), image=images())
def test_the_order_of_the_members_does_not_matter(fleet: Fleet, image: ImageView) -> None:
    backwards = Fleet(fleet.members[::-1])
    assert decide(fleet, image).member == decide(backwards, image).member
