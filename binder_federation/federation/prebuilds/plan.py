"""Which members are asked to make an image ahead of time, and of each other why not. Pure.

Being full of sessions speaks against nobody here: an image takes no session. Neither does a
doubt about a member's launches.
"""

from binder_federation.federation.core.snapshot import MemberView
from binder_federation.health.state import MemberState


def why_not(member: MemberView) -> str:
    """Why `member` is not asked; empty when it is."""
    if member.is_joining:
        return "It is joining: its checks have not passed yet."
    if member.is_draining or member.state is MemberState.DRAINING:
        return "It is draining: its operator wants nothing new there."
    if not member.is_compatible:
        return f"Its version does not fit: {member.incompatibility}."
    if member.state is MemberState.DOWN:
        return "It is down."
    if member.state is MemberState.UNKNOWN:
        return "It has not been probed yet."
    if member.load is not None and not member.load.can_build:
        return "It has no room for builds now."
    return ""


def first_word(member: MemberView) -> str:
    """What is said of a member that was asked and has not answered yet."""
    load = member.load
    if load is not None and 0 < load.build_slots <= load.building:
        return f"All of its {load.build_slots} build slots are taken: this build waits for one."
    return ""
