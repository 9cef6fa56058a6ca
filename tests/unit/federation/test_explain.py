"""What is told of a decision is what decided it."""

from typing import Any

from hypothesis import given, settings

from binder_federation.binder.resolver import ResolvedSpec
from binder_federation.binder.spec import LaunchSpec
from binder_federation.federation.core.choose import choose
from binder_federation.federation.core.snapshot import Fleet, ImageView
from binder_federation.federation.explain import describe
from binder_federation.federation.placing import Preview
from binder_federation.health.state import MemberState
from tests.unit.core.fleets import (
    NOW,
    fleets,
    idle_fleet,
    images,
    make_fleet,
    make_image,
    make_member,
    make_rng,
)

RESOLVED = ResolvedSpec(LaunchSpec("gh", "owner/repository", "HEAD"), "1" * 40)


def explain(fleet: Fleet, image: ImageView) -> dict[str, Any]:
    decision = choose(fleet, image, now=NOW, rng=make_rng())
    return describe(Preview(fleet, image, decision, NOW), RESOLVED)


def by_name(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {member["name"]: member for member in told["members"]}


def test_the_only_holder_wins_and_the_others_are_told_why_not() -> None:
    told = explain(idle_fleet("alpha", "beta"), make_image(node=["beta"]))

    assert told["chosen"] == "beta"
    assert told["decided_by"] == "only_one"
    assert told["members"][0]["name"] == "beta", "the chosen one comes first"
    assert by_name(told)["beta"]["why_not"] is None
    alpha = by_name(told)["alpha"]
    assert "would have to build" in alpha["why_not"]
    assert alpha["seconds"]["build"] == 180, "its cost is told though it was not considered"


def test_among_equals_the_rank_decides() -> None:
    told = explain(idle_fleet("alpha", "beta", "gamma"), make_image(node=["alpha", "beta"]))

    assert told["decided_by"] == "rank"
    assert "alpha" in told["because"]
    assert "beta" in told["because"]
    ranks = {name: by_name(told)[name]["rendezvous_rank"] for name in ("alpha", "beta")}
    assert told["chosen"] == min(ranks, key=lambda name: ranks[name])
    assert sorted(member["rendezvous_rank"] for member in told["members"]) == [1, 2, 3]


def test_a_lower_cost_decides_and_by_how_much() -> None:
    fleet = make_fleet(make_member("alpha", used=80), make_member("beta", used=10))
    told = explain(fleet, make_image(node=["alpha", "beta"]))

    seconds = {name: member["seconds"]["total"] for name, member in by_name(told).items()}
    assert told["decided_by"] == "least_cost"
    assert told["chosen"] == "beta"
    assert f"{seconds['alpha'] - seconds['beta']:.1f} s less than alpha" in told["because"]


def test_a_miss_names_its_rule() -> None:
    told = explain(idle_fleet("alpha", "beta"), make_image())

    assert told["is_miss"]
    assert "Nobody has the image" in told["because"]


def test_refused_members_come_last_with_a_sentence() -> None:
    fleet = make_fleet(
        make_member("alpha", state=MemberState.DOWN),
        make_member("beta", used=100),
        make_member("gamma", used=0),
    )
    told = explain(fleet, make_image(node=["alpha"]))

    assert told["members"][0]["name"] == "gamma"
    assert by_name(told)["alpha"]["refusal"] == "down"
    assert by_name(told)["beta"]["why_not"] == "beta is full: 100 of 100 sessions."


def test_nobody_is_told_as_nobody() -> None:
    told = explain(make_fleet(make_member(state=MemberState.DOWN, last_well_at=None)), make_image())

    assert told["chosen"] is None
    assert told["decided_by"] == "nobody"
    assert told["because"].startswith("Nobody may take it")


@given(fleet=fleets(max_size=24), image=images())
@settings(max_examples=50)
def test_every_member_is_told_once_and_terms_add_up(fleet: Fleet, image: ImageView) -> None:
    told = explain(fleet, image)

    names = [member["name"] for member in told["members"]]
    assert sorted(names) == sorted(member.name for member in fleet.members)
    for member in told["members"]:
        seconds = dict(member["seconds"])
        total, stickiness = seconds.pop("total"), seconds.pop("stickiness")
        assert abs(sum(seconds.values()) - stickiness - total) < 0.1, member
        assert (member["why_not"] is None) == member["is_considered"], member
