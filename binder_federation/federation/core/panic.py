"""Panic: when too few members are well, health counts for less.

Probes and launches can be wrong together (our own network, a bad deploy of the checks),
and then somebody who may answer is better than nobody. Draining, full and incompatible
members stay out even so: those are no questions of health.
"""

from collections.abc import Iterable, Set

from binder_federation.config.federation import HealthSettings
from binder_federation.federation.core.snapshot import MemberView
from binder_federation.health.state import MemberState

_UNKNOWN, _UP = MemberState.UNKNOWN, MemberState.UP
_DEGRADED, _RECOVERING = MemberState.DEGRADED, MemberState.RECOVERING


def is_panic(members: Iterable[MemberView], *, exclude: Set[str], settings: HealthSettings) -> bool:
    """Whether the weight that is available is under the share that the settings name.

    Members that are draining, joining, incompatible or not probed yet say nothing about the
    fleet's health and are left out of the sum. `exclude` are members that failed this
    launch: for it, they are not available, nor are ejected ones. A full member is.
    """
    total = available = 0.0
    for member in members:
        state = member.state
        if member.is_draining or member.is_joining or not member.is_compatible or state is _UNKNOWN:
            continue
        total += member.weight
        # A comparison with each: hashing a state for a set costs as much as all of this.
        is_well = state is _UP or state is _DEGRADED or state is _RECOVERING
        if is_well and not member.is_ejected and member.name not in exclude:
            available += member.weight
    return available < settings.panic_below * total


def is_all_down(members: Iterable[MemberView]) -> bool:
    """Whether there is nobody whose probes are anything better than DOWN."""
    return all(
        member.state in (MemberState.DOWN, MemberState.UNKNOWN)
        for member in members
        if is_usable(member)
    )


def was_well_recently(member: MemberView, *, now: float, settings: HealthSettings) -> bool:
    """Whether a DOWN member may be tried when all are."""
    if member.last_well_at is None:
        return False
    return now - member.last_well_at <= settings.panic_memory_seconds


def is_usable(member: MemberView) -> bool:
    """Whether only health or load can keep launches away from the member."""
    return member.is_compatible and not member.is_draining and not member.is_joining
