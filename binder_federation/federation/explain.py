"""A decision in words and seconds: every member, its terms, and what decided.

Pure: a `Preview` of a launch goes in, a description of it in JSON's types comes out.
`handlers/explain.py` serves it, `cli/explain.py` prints it. The costs are those that
`core.choose` made; of members that it did not look at they are worked out here.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from binder_federation.binder.resolver import ResolvedSpec
from binder_federation.federation.core.choose import TIE_SECONDS, Candidate, Decision
from binder_federation.federation.core.cost import Cost, cost, find_tier, find_utilisation
from binder_federation.federation.core.eligible import explain_refusal
from binder_federation.federation.core.rendezvous import rank_members
from binder_federation.federation.core.snapshot import Fleet, ImageView, MemberView
from binder_federation.federation.placing import Preview


class DecidedBy(StrEnum):
    """What made the chosen member win."""

    ONLY_ONE = "only_one"
    LEAST_COST = "least_cost"
    RANK = "rank"
    """Several were within a second of the least cost; the best rendezvous rank won."""
    NOBODY = "nobody"


def describe(preview: Preview, resolved: ResolvedSpec) -> dict[str, Any]:
    """What a launch of `resolved` would be decided from, member by member, best first."""
    fleet, image, decision = preview.fleet, preview.image, preview.decision
    decided_by, because = explain_winner(decision)
    return {
        "repository": resolved.spec.repository,
        "ref": resolved.spec.ref,
        "resolved_ref": resolved.resolved_ref,
        "image_key": image.key,
        "size_bytes": image.size_bytes,
        "chosen": decision.member,
        "reason": decision.reason.value,
        "phrase": decision.phrase,
        "decided_by": decided_by.value,
        "because": because,
        "is_panic": decision.is_panic,
        "is_miss": is_miss(decision),
        "fleet_utilisation": round(fleet.utilisation, 3),
        "members": _members(preview, fleet, image, decision),
    }


def explain_winner(decision: Decision) -> tuple[DecidedBy, str]:
    """What decided, as a code and as a sentence."""
    if decision.member is None:
        return DecidedBy.NOBODY, f"Nobody may take it: {decision.phrase}."
    chosen, *others = decision.costs
    name = chosen.member
    if not others:
        return DecidedBy.ONLY_ONE, f"{name} is the only member that was considered."
    rule = _miss_rule(decision)
    tied = [each for each in others if each.cost.total <= _least(decision.costs) + TIE_SECONDS]
    if tied:
        names = ", ".join(each.member for each in (chosen, *tied))
        return DecidedBy.RANK, (
            f"{names} are within {TIE_SECONDS:g} s of the least cost; "
            f"{name} has the best rendezvous rank of them.{rule}"
        )
    second = min(others, key=lambda each: each.cost.total)
    ahead = second.cost.total - chosen.cost.total
    return DecidedBy.LEAST_COST, (
        f"{name} costs least, {ahead:.1f} s less than {second.member}.{rule}"
    )


def is_miss(decision: Decision) -> bool:
    """Whether everybody who was considered would have to build."""
    return bool(decision.costs) and all(each.cost.tier.needs_build for each in decision.costs)


def _miss_rule(decision: Decision) -> str:
    if not is_miss(decision):
        return ""
    return " Nobody has the image, so the load of members no busier than the fleet is left out."


def _least(candidates: Sequence[Candidate]) -> float:
    return min(each.cost.total for each in candidates)


def _members(
    preview: Preview, fleet: Fleet, image: ImageView, decision: Decision
) -> list[dict[str, Any]]:
    considered = {each.member: each.cost for each in decision.costs}
    places = {name: place for place, name in enumerate(considered)}
    ranked = rank_members(fleet.members, image.affinity_key)
    ranks = {member.name: rank for rank, member in enumerate(ranked, start=1)}
    described = [
        {
            **_describe_member(member, fleet, image, decision),
            **_terms(considered.get(member.name) or _cost_of(member, preview)),
            "rendezvous_rank": ranks[member.name],
        }
        for member in fleet.members
    ]

    def order(one: dict[str, Any]) -> tuple[bool, int, float]:
        name = one["name"]
        return name in decision.refused, places.get(name, len(places)), one["seconds"]["total"]

    return sorted(described, key=order)


def _describe_member(
    member: MemberView, fleet: Fleet, image: ImageView, decision: Decision
) -> dict[str, Any]:
    refusal = decision.refused.get(member.name)
    load = member.load
    return {
        "name": member.name,
        "state": member.state.value,
        "is_chosen": member.name == decision.member,
        "is_considered": any(each.member == member.name for each in decision.costs),
        "refusal": refusal.value if refusal else None,
        "why_not": _why_not(member, image, decision),
        "weight": member.weight,
        "effective_weight": round(member.effective_weight, 3),
        "sessions": None if load is None else load.used,
        "capacity": None if load is None else load.capacity,
        "utilisation": round(find_utilisation(member, fleet.utilisation), 3),
    }


def _why_not(member: MemberView, image: ImageView, decision: Decision) -> str | None:
    """Why it is not among the candidates; None when it is."""
    if refusal := decision.refused.get(member.name):
        return explain_refusal(member, refusal)
    if any(each.member == member.name for each in decision.costs):
        return None
    if find_tier(member.name, image).needs_build:
        return (
            f"{member.name} would have to build, and members that hold the image or build it "
            "have room."
        )
    return f"{member.name} was not looked at: of many members only the likely ones are."


def _cost_of(member: MemberView, preview: Preview) -> Cost:
    return cost(
        member,
        preview.image,
        fleet_utilisation=preview.fleet.utilisation,
        now=preview.now,
    )


def _terms(its_cost: Cost) -> dict[str, Any]:
    seconds = {
        name: round(getattr(its_cost, name), 2)
        for name in ("spawn", "build", "push", "pull", "queue", "load", "failure", "stickiness")
    }
    total = round(its_cost.total, 2)
    return {"tier": its_cost.tier.value, "seconds": {**seconds, "total": total}}
