"""How many members a hot repository needs, and which get its image in the background.

    k = ⌈arrivals/s × session / (0.6 × quota)⌉

By Little's law arrivals × session are the sessions that will run at once; `k` members
hold them when each gives 0.6 of its room to this repository. Copies are made ahead of
need, on the next members by rendezvous rank, so that all replicas name the same ones.
"""

from math import ceil

from binder_federation.config.federation import HealthSettings
from binder_federation.federation.core.cost import find_tier
from binder_federation.federation.core.eligible import eligible
from binder_federation.federation.core.rendezvous import rank_members
from binder_federation.federation.core.snapshot import Fleet, ImageView

SHARE_OF_QUOTA = 0.6
MOST_COPIES_AT_ONCE = 2


def count_members_wanted(
    *, arrivals_per_second: float, session_seconds: float, quota: float
) -> int:
    """How many members an image needs that is asked for so often; at least one.

    `quota` is how many sessions of it a member takes.
    """
    if quota <= 0:
        return 1
    return max(1, ceil(arrivals_per_second * session_seconds / (SHARE_OF_QUOTA * quota)))


def plan_copies(
    fleet: Fleet,
    image: ImageView,
    *,
    arrivals_per_second: float,
    session_seconds: float,
    now: float,
    settings: HealthSettings,
) -> tuple[str, ...]:
    """The members that should get the image now, best first; none when it is spread enough."""
    members = eligible(fleet, now=now, settings=settings).members
    capacities = [member.load.capacity for member in members if member.load is not None]
    if not capacities:
        return ()
    wanted = count_members_wanted(
        arrivals_per_second=arrivals_per_second,
        session_seconds=session_seconds,
        quota=sum(capacities) / len(capacities),
    )
    without = [member for member in members if find_tier(member.name, image).needs_build]
    missing = min(wanted - (len(members) - len(without)), MOST_COPIES_AT_ONCE)
    if missing <= 0 or len(without) == len(members):
        return ()  # with no copy at all, its first launch makes the first one
    ranked = rank_members(without, image.affinity_key)
    return tuple(member.name for member in ranked[:missing])
