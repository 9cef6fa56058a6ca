"""Which members may receive a launch now, and of each other one why not.

*Full is not unhealthy*: capacity and health are two questions, and only health (probes
and ejections) is set aside in panic.

This runs for every decision, over all members: those against whom nothing speaks, as
a rule all of them, are told by one look each, and only the others are gone into.
"""

from collections.abc import Iterable, Mapping, Set
from enum import StrEnum
from typing import NamedTuple

from binder_federation.config.federation import HealthSettings
from binder_federation.federation.core.panic import is_all_down, is_panic, was_well_recently
from binder_federation.federation.core.snapshot import Fleet, MemberView
from binder_federation.health.state import MemberState


class Refusal(StrEnum):
    """Why a member gets no launch."""

    TRIED = "tried"
    """It failed this launch already."""
    JOINING = "joining"
    """It was invited, and its checks have not passed yet."""
    DRAINING = "draining"
    INCOMPATIBLE = "incompatible"
    FULL = "full"
    UNKNOWN = "unknown"
    """Not probed yet."""
    SUSPECT = "suspect"
    DOWN = "down"
    EJECTED = "ejected"
    """Its launches failed; it is back after a while."""


class Eligibility(NamedTuple):
    """The members that may receive a launch, in the fleet's order, and the others."""

    members: tuple[MemberView, ...]
    refused: Mapping[str, Refusal]
    is_panic: bool
    """Whether health was disregarded, as too few members are well."""


def eligible(
    fleet: Fleet,
    *,
    now: float,
    exclude: Set[str] = frozenset(),
    settings: HealthSettings,
) -> Eligibility:
    """Sort the fleet into members that may receive a launch and members that may not.

    `exclude` names the members that this launch has tried.
    """
    questionable = _find_questionable(fleet.members)
    tried = exclude & fleet.by_name.keys() if exclude else frozenset()
    if not questionable and not tried:
        return Eligibility(fleet.members, {}, is_panic=False)
    in_panic = is_panic(fleet.members, exclude=tried, settings=settings)
    all_down = in_panic and is_all_down(fleet.members)
    refused = dict.fromkeys(tried, Refusal.TRIED)
    for member in questionable:
        disregards_health = in_panic and _may_help_in_panic(
            member, all_down=all_down, now=now, settings=settings
        )
        refusal = _refuse(member, disregards_health=disregards_health)
        if refusal is not None:
            refused.setdefault(member.name, refusal)
    members = tuple([member for member in fleet.members if member.name not in refused])
    return Eligibility(members, _in_order(refused, fleet), in_panic)


def explain_refusal(member: MemberView, refusal: Refusal) -> str:
    """One sentence about why `member` gets no launch."""
    name = member.name
    match refusal:
        case Refusal.TRIED:
            return f"{name} was tried for this launch already."
        case Refusal.JOINING:
            return f"{name} is joining: its checks have not passed yet."
        case Refusal.DRAINING:
            return f"{name} is draining: its operator wants no new launches there."
        case Refusal.INCOMPATIBLE:
            why = f": {member.incompatibility}" if member.incompatibility else ""
            return f"{name} has a version that does not fit{why}."
        case Refusal.FULL if member.load is not None:
            return f"{name} is full: {member.load.used} of {member.load.capacity} sessions."
        case Refusal.FULL:
            return f"{name} is full."
        case Refusal.UNKNOWN:
            return f"{name} has not been probed yet."
        case Refusal.SUSPECT:
            return f"{name} missed its last probes."
        case Refusal.DOWN:
            return f"{name} is down."
        case Refusal.EJECTED:
            return f"{name} failed too many of its last launches and is left out for a while."


def _find_questionable(members: Iterable[MemberView]) -> list[MemberView]:
    """Members that are anything but UP, compatible, taking launches and not full."""
    return [
        member
        for member in members
        if member.state is not _UP
        or member.is_ejected
        or member.is_draining
        or member.is_joining
        or not member.is_compatible
        or (
            (load := member.load) is not None
            # `load.is_full`, without the two calls
            and load.running + load.pending >= load.capacity
        )
    ]


def _in_order(refused: Mapping[str, Refusal], fleet: Fleet) -> Mapping[str, Refusal]:
    if len(refused) < 2:
        return refused
    return {name: refused[name] for name in fleet.by_name if name in refused}


def _may_help_in_panic(
    member: MemberView, *, all_down: bool, now: float, settings: HealthSettings
) -> bool:
    if member.state is MemberState.DOWN:
        return all_down and was_well_recently(member, now=now, settings=settings)
    return member.state is not MemberState.UNKNOWN


def _refuse(member: MemberView, *, disregards_health: bool) -> Refusal | None:
    """What speaks against the member, the longest-lasting reason first."""
    if member.is_joining:
        return Refusal.JOINING
    if member.is_draining or member.state is MemberState.DRAINING:
        return Refusal.DRAINING
    if not member.is_compatible:
        return Refusal.INCOMPATIBLE
    if not disregards_health:
        if member.state in _REFUSED_STATES:
            return _REFUSED_STATES[member.state]
        if member.is_ejected:
            return Refusal.EJECTED
    if member.load is not None and member.load.is_full:
        # The last word of a member that does not answer any more says little: it is down first.
        return _REFUSED_STATES.get(member.state, Refusal.FULL)
    return None


_UP = MemberState.UP
_REFUSED_STATES = {
    MemberState.UNKNOWN: Refusal.UNKNOWN,
    MemberState.SUSPECT: Refusal.SUSPECT,
    MemberState.DOWN: Refusal.DOWN,
}
