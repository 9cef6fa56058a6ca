"""Why a member was chosen, in a phrase that a visitor reads while waiting.

A phrase says what is true and decided the matter, nothing more.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from binder_federation.federation.core.cost import LocalityTier
from binder_federation.federation.core.eligible import Refusal
from binder_federation.federation.core.rendezvous import find_usual_place
from binder_federation.federation.core.snapshot import Fleet, MemberView


class Reason(StrEnum):
    """Why a decision came out as it did; a metric's label."""

    WARM_SERVER = "warm_server"
    HAS_IMAGE = "has_image"
    IN_REGISTRY = "in_registry"
    BUILDING = "building"
    USUAL_PLACE = "usual_place"
    USUAL_PLACE_FULL = "usual_place_full"
    USUAL_PLACE_OUT = "usual_place_out"
    BUILT_BEFORE = "built_before"
    LESS_BUSY = "less_busy"
    QUICKEST = "quickest"
    TOOK_OVER = "took_over"
    ALL_FULL = "all_full"
    ALL_TRIED = "all_tried"
    NOBODY = "nobody"


_OUT_WORDS = {
    Refusal.DOWN: "is down",
    Refusal.SUSPECT: "does not answer",
    Refusal.EJECTED: "failed its last launches",
    Refusal.UNKNOWN: "has not been heard of yet",
    Refusal.JOINING: "is only joining",
    Refusal.DRAINING: "takes no new launches",
    Refusal.INCOMPATIBLE: "has another version",
}


def explain_choice(
    member: MemberView,
    tier: LocalityTier,
    *,
    fleet: Fleet,
    affinity_key: str,
    refused: Mapping[str, Refusal],
) -> tuple[Reason, str]:
    """Why `member` was chosen: a code and a phrase."""
    if not refused:
        tried = []
    else:
        tried = sorted(name for name, refusal in refused.items() if refusal is Refusal.TRIED)
    if tried:
        return Reason.TOOK_OVER, f"{member.name} took over from {_join(tried)}"
    match tier:
        case LocalityTier.WARM:
            return Reason.WARM_SERVER, f"{member.name} has a server of this image running already"
        case LocalityTier.NODE:
            return Reason.HAS_IMAGE, f"{member.name} already has this image"
        case LocalityTier.REGISTRY:
            return Reason.IN_REGISTRY, f"{member.name} has this image in its registry"
        case LocalityTier.BUILDING:
            return Reason.BUILDING, f"{member.name} is building this image now"
        case LocalityTier.REBUILD | LocalityTier.ABSENT:
            usual = find_usual_place(fleet.members, affinity_key) or member
            return _explain_miss(member, tier, usual, refused.get(usual.name))


def explain_nobody(refused: Mapping[str, Refusal]) -> tuple[Reason, str]:
    """Why nobody was chosen: a code and a phrase."""
    why = set(refused.values())
    if Refusal.FULL in why and why <= {Refusal.FULL, Refusal.TRIED}:
        return Reason.ALL_FULL, "every member is full just now"
    if why == {Refusal.TRIED}:
        return Reason.ALL_TRIED, "every member was tried"
    return Reason.NOBODY, "no member can take a launch just now"


def _explain_miss(
    member: MemberView, tier: LocalityTier, usual: MemberView, refusal: Refusal | None
) -> tuple[Reason, str]:
    name = member.name
    if usual.name == name:
        return Reason.USUAL_PLACE, f"{name} is the usual place for this repository"
    if refusal is Refusal.FULL:
        return Reason.USUAL_PLACE_FULL, f"{name} has room while the usual place is full"
    if refusal is not None:
        return (
            Reason.USUAL_PLACE_OUT,
            f"{name} stands in, as the usual place {_OUT_WORDS[refusal]}",
        )
    if tier is LocalityTier.REBUILD:
        return Reason.BUILT_BEFORE, f"{name} built this repository before"
    if _is_less_busy(member, usual):
        return Reason.LESS_BUSY, f"{name} is less busy than the usual place"
    return Reason.QUICKEST, f"{name} is likely to be the quickest"


def _is_less_busy(member: MemberView, other: MemberView) -> bool:
    if member.load is None or other.load is None:
        return False
    return member.load.utilisation < other.load.utilisation


def _join(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
