"""Which member gets a launch: the least cost, and among equals the usual place.

    eligible(fleet) → costs → choose

Members within a second of the least cost count as equal, and among them the best
weighted rendezvous rank of the repository wins: so replicas that see nearly the
same agree, and a repository stays where it was. When every candidate would have
to build (a miss), the load of members that are no busier than the fleet is left
out for the same reason: a new image lands on its rank 1 or 2.

Load alone never starts a second build: while a well member that has room holds the
image, or is building it, members that would have to build are not considered
(docs/decisions/0007-load-starts-no-build.md).
"""

from collections.abc import Mapping, Sequence, Set
from math import inf
from typing import NamedTuple, Protocol, TypeVar

from binder_federation.config.federation import HealthSettings
from binder_federation.federation.core.cost import (
    Cost,
    LocalityTier,
    cost,
    find_tier,
    find_utilisation,
)
from binder_federation.federation.core.eligible import (
    Eligibility,
    Refusal,
    eligible,
)
from binder_federation.federation.core.phrases import Reason, explain_choice, explain_nobody
from binder_federation.federation.core.rendezvous import rank_top, unit_scores
from binder_federation.federation.core.snapshot import Fleet, ImageView, MemberView

TIE_SECONDS = 1.0
MISS_UTILISATION_FACTOR = 1.25
ROOM_UTILISATION = 0.9
"""Under this a member has room for more launches of an image that it holds."""
LARGE_FLEET = 20
"""Above so many eligible members only some are considered:"""
MOST_HOLDERS = 16
TOP_RANKS = 4
RANDOM_MEMBERS = 2

_AT_HAND = (LocalityTier.NODE, LocalityTier.WARM)
"""Where nothing need be fetched."""

DEFAULT_HEALTH = HealthSettings()

T = TypeVar("T")


class Rng(Protocol):
    """The part of `random.Random` that a decision uses."""

    def sample(self, population: Sequence[T], k: int) -> list[T]:
        """`k` different elements."""


class Candidate(NamedTuple):
    """A member that was considered, and what the launch would cost there."""

    member: str
    cost: Cost


class Decision(NamedTuple):
    """Where a launch goes and why. `member` is None when nobody may take it."""

    member: str | None
    phrase: str
    """For visitors: short, without a full stop."""
    reason: Reason
    costs: tuple[Candidate, ...]
    """All that were considered, best first; the first is the choice."""
    refused: Mapping[str, Refusal]
    is_panic: bool

    @property
    def chosen(self) -> Cost | None:
        """The cost at the member that was chosen."""
        return self.costs[0].cost if self.costs else None

    @property
    def runners_up(self) -> tuple[str, ...]:
        """The other candidates, best first."""
        return tuple(candidate.member for candidate in self.costs[1:])


def choose(
    fleet: Fleet,
    image: ImageView,
    *,
    now: float,
    rng: Rng,
    exclude: Set[str] = frozenset(),
    prefer: str | None = None,
    settings: HealthSettings = DEFAULT_HEALTH,
) -> Decision:
    """Choose the member for a launch of `image`.

    `exclude` are the members that this launch tried already; `prefer` is the one where
    its visitor was before.
    """
    found = eligible(fleet, now=now, exclude=exclude, settings=settings)
    if not found.members:
        reason, phrase = explain_nobody(found.refused)
        return Decision(None, phrase, reason, (), found.refused, found.is_panic)
    near = _spare_builds(fleet, found, image)
    considered = consider(near or fleet.members, found, image, rng=rng)
    ranked = rank_candidates(fleet, considered, image, now=now, prefer=prefer)
    reason, phrase = _explain(fleet, image, found, ranked)
    return Decision(
        member=ranked[0].member,
        phrase=phrase,
        reason=reason,
        costs=ranked,
        refused=found.refused,
        is_panic=found.is_panic,
    )


def _spare_builds(fleet: Fleet, found: Eligibility, image: ImageView) -> Sequence[MemberView]:
    """Those that hold the image or are building it, if one of them is well and has room."""
    by_name, refused, busy = fleet.by_name, found.refused, fleet.utilisation
    names: Mapping[str, object] = image.tiers
    if image.building_since or image.warm:
        names = {**image.tiers, **image.building_since, **image.warm}
    near = [by_name[name] for name in names if name in by_name and name not in refused]
    for member in near:
        # Its whole capacity, in slow start as well: a ramp is no reason to build twice.
        used = busy if member.load is None else member.load.utilisation
        if used < ROOM_UTILISATION and _is_well(member):
            return near
    return ()


def _is_well(member: MemberView) -> bool:
    return member.state.is_well and not member.is_ejected


def consider(
    members: Sequence[MemberView], found: Eligibility, image: ImageView, *, rng: Rng
) -> Sequence[MemberView]:
    """The eligible ones of `members` whose cost is worked out: all, or of many the likely ones.

    Those are the nearest holders (at random among equally near ones, so that all of
    a hot repository's holders share its launches), the first rendezvous ranks, and
    two at random, through which a decision hears of the rest of the fleet.
    """
    refused = found.refused
    if len(members) <= LARGE_FLEET:
        if not refused:
            return members
        return [member for member in members if member.name not in refused]
    by_name = {member.name: member for member in found.members}
    picked = [
        *_nearest_holders(by_name, image, rng=rng),
        *rank_top(members, image.affinity_key, TOP_RANKS, without=refused),
        *rng.sample(found.members, min(RANDOM_MEMBERS, len(found.members))),
    ]
    return list({member.name: member for member in picked}.values())


def rank_candidates(
    fleet: Fleet,
    members: Sequence[MemberView],
    image: ImageView,
    *,
    now: float,
    prefer: str | None = None,
) -> tuple[Candidate, ...]:
    """Candidates, best first: the ties for least cost by rendezvous, then the rest by cost."""
    busy = fleet.utilisation
    if len(members) == 1:
        member = members[0]
        is_preferred = member.name == prefer
        its_cost = cost(member, image, fleet_utilisation=busy, now=now, is_preferred=is_preferred)
        return (Candidate(member.name, its_cost),)
    tiered = [(find_tier(member.name, image), member) for member in members]
    is_miss = all(tier.needs_build for tier, _ in tiered)
    costs = _work_out(fleet, tiered, image, now=now, prefer=prefer, is_miss=is_miss)
    units = unit_scores(tuple([member.name for member, _ in costs]), image.affinity_key)
    tied_below = min([each.total for _, each in costs]) + TIE_SECONDS
    keyed = [
        (True, its_cost.total, member.name, its_cost)
        if its_cost.total > tied_below
        else (False, -unit * member.effective_weight, member.name, its_cost)
        for (member, its_cost), unit in zip(costs, units, strict=True)
    ]
    # Names differ, so costs themselves are never compared.
    return tuple([Candidate(name, its_cost) for _, _, name, its_cost in sorted(keyed)])


def _work_out(
    fleet: Fleet,
    tiered: Sequence[tuple[LocalityTier, MemberView]],
    image: ImageView,
    *,
    now: float,
    prefer: str | None,
    is_miss: bool,
) -> list[tuple[MemberView, Cost]]:
    """The cost of every member that can win.

    One that must pull cannot, where starting and pulling alone take longer than everything
    does at one that has the image on a machine. With replicated registries each member
    could pull every image, and nearly none ever should.
    """
    busy = fleet.utilisation
    most_used = MISS_UTILISATION_FACTOR * busy
    at_hand = [pair for pair in tiered if pair[0] in _AT_HAND]
    others = [pair for pair in tiered if pair[0] not in _AT_HAND] if at_hand else tiered
    worked_out: list[tuple[MemberView, Cost]] = []
    least = inf
    for tier, member in (*at_hand, *others):
        is_preferred = member.name == prefer
        if tier is LocalityTier.REGISTRY and not is_preferred and at_hand:
            estimates = member.estimates
            soonest = estimates.spawn_seconds + estimates.pull_seconds(image.size_bytes)
            if soonest > least + TIE_SECONDS:
                continue
        its_cost = cost(
            member,
            image,
            fleet_utilisation=busy,
            now=now,
            tier=tier,
            counts_load=not (is_miss and find_utilisation(member, busy) <= most_used),
            is_preferred=is_preferred,
        )
        least = min(least, its_cost.total)
        worked_out.append((member, its_cost))
    return worked_out


def _nearest_holders(
    eligible_by_name: Mapping[str, MemberView], image: ImageView, *, rng: Rng
) -> list[MemberView]:
    by_tier: dict[LocalityTier, list[MemberView]] = {tier: [] for tier in LocalityTier}
    known = {**image.tiers, **image.building_since, **image.warm}
    for name in [*known, *sorted(image.built_repository_recently - known.keys())]:
        if name in eligible_by_name:
            by_tier[find_tier(name, image)].append(eligible_by_name[name])
    nearest: list[MemberView] = []
    for holders in by_tier.values():
        room = MOST_HOLDERS - len(nearest)
        nearest += holders if len(holders) <= room else rng.sample(holders, room)
    return nearest


def _explain(
    fleet: Fleet, image: ImageView, found: Eligibility, ranked: Sequence[Candidate]
) -> tuple[Reason, str]:
    best = ranked[0]
    return explain_choice(
        fleet.by_name[best.member],
        best.cost.tier,
        fleet=fleet,
        affinity_key=image.affinity_key,
        refused=found.refused,
    )
