"""How many members a hot repository needs, and which get its image in the background.

    k = ⌈arrivals/s × session / min(0.6 × quota, fair share / 2)⌉

By Little's law arrivals × session are the sessions that will run at once; `k` members
hold them when each gives 0.6 of its room to this repository. The second bound levels
the load: while one image is more than half of what each member would have if all had
the same, whoever holds it is busier than the rest, and nothing can be moved but it.

Copies are made ahead of need, on the next members by rendezvous rank, so that all
replicas name the same ones.
"""

from collections.abc import Set
from math import ceil

from binder_federation.config.federation import HealthSettings
from binder_federation.federation.core.cost import LocalityTier, find_tier
from binder_federation.federation.core.eligible import eligible
from binder_federation.federation.core.rendezvous import rank_members
from binder_federation.federation.core.snapshot import Fleet, ImageView

SHARE_OF_QUOTA = 0.6
SHARE_OF_FAIR_SHARE = 0.5
LEAST_SESSIONS = 15.0
"""A member takes so many sessions of one image before anybody makes a copy for balance."""
MOST_COPIES_AT_ONCE = 2


def count_members_wanted(
    fleet: Fleet, *, arrivals_per_second: float, session_seconds: float
) -> int:
    """How many members should hold an image that is asked for so often; at least one."""
    members = len(fleet.members)
    if not members or fleet.capacity <= 0:
        return 1
    fair_share = SHARE_OF_FAIR_SHARE * fleet.used / members
    room = min(SHARE_OF_QUOTA * fleet.capacity / members, max(LEAST_SESSIONS, fair_share))
    return max(1, min(members, ceil(arrivals_per_second * session_seconds / room)))


def plan_copies(
    fleet: Fleet,
    image: ImageView,
    *,
    arrivals_per_second: float,
    session_seconds: float,
    now: float,
    settings: HealthSettings,
    unable: Set[str] = frozenset(),
) -> tuple[str, ...]:
    """The members that should get the image now, best first; none when it is spread enough.

    `unable` are members that cannot be asked for an image alone.
    """
    wanted = count_members_wanted(
        fleet, arrivals_per_second=arrivals_per_second, session_seconds=session_seconds
    )
    members = eligible(fleet, now=now, settings=settings).members
    tiers = {member.name: find_tier(member.name, image) for member in members}
    without = [member for member in members if tiers[member.name] not in _AT_HAND]
    missing = min(wanted - (len(members) - len(without)), MOST_COPIES_AT_ONCE)
    if missing <= 0 or all(tier.needs_build for tier in tiers.values()):
        return ()  # with no copy at all, its first launch makes the first one
    ranked = rank_members([m for m in without if m.name not in unable], image.affinity_key)
    # Pulling is less work than building; by rank among equals (the sort is stable).
    ranked.sort(key=lambda member: tiers[member.name].needs_build)
    return tuple(member.name for member in ranked[:missing])


_AT_HAND = (LocalityTier.WARM, LocalityTier.NODE, LocalityTier.BUILDING)
"""Where a launch of the image needs nothing first, or will not soon."""
