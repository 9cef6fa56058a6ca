"""What a launch would cost at a member: seconds until the visitor sees a notebook.

    cost(m) = spawn(m)·(1 + 2u⁸) + locality(m) + queue(m) + β·u/max(0.02, 1−u)
              + (1 − p_ok(m))·P_fail − stickiness

    locality: a warm server waits there           no spawn(m) and nothing else
              on a machine that starts servers    (1 − p_node(m))·pull(m)
              in the member's registry            pull(m) = a + bytes/bandwidth
              being built there                   time left + pull(m)
              nowhere there                       build(m) + push(m) + pull(m),
                                                  ×0.45 if it built this repository recently

u is the used share of the member's capacity. The last three terms are no waiting
time of this visitor's: they are what filling up a member, or a launch that fails,
would cost, and what staying where one was is worth.
"""

from enum import StrEnum
from typing import NamedTuple

from binder_federation.binder.messages import Tier
from binder_federation.federation.core.snapshot import ImageView, Load, MemberView
from binder_federation.health.state import MemberState

REBUILD_FACTOR = 0.45
NO_BUILDS_SECONDS = 1800.0
"""A member that says it cannot build may be able to when it is the last one left."""
BUILD_LEFT_FLOOR_SECONDS = 5.0
"""A build that takes longer than estimated is still not done."""
FAILURE_SECONDS = 120.0
STICKINESS_SECONDS = 5.0
LOAD_SECONDS = 10.0
LOAD_SECONDS_WHEN_BUSY = 3.0
BUSY_FLEET = 0.7
FREE_SHARE_FLOOR = 0.02


class LocalityTier(StrEnum):
    """How near a member's copy of the image is, nearest first."""

    WARM = "warm"
    """A server of it runs already, for whoever comes next."""
    NODE = "node"
    REGISTRY = "registry"
    BUILDING = "building"
    """It is building the image now."""
    REBUILD = "rebuild"
    """It has built this repository recently, so much of it is cached."""
    ABSENT = "absent"

    @property
    def needs_build(self) -> bool:
        """Whether a launch would start a build."""
        return self is LocalityTier.REBUILD or self is LocalityTier.ABSENT

    @property
    def is_there(self) -> bool:
        """Whether the member holds the image, as far as is known."""
        return self in (LocalityTier.WARM, LocalityTier.NODE, LocalityTier.REGISTRY)


class Cost(NamedTuple):
    """The terms of a member's cost, in seconds."""

    tier: LocalityTier
    spawn: float
    build: float
    """To build the image, or until the build that is under way ends."""
    push: float
    pull: float
    queue: float
    """Until a build slot is free."""
    load: float
    failure: float
    total: float
    stickiness: float = 0.0
    """What is taken off where the visitor was before."""

    @property
    def locality(self) -> float:
        """Until the image is where servers start."""
        return self.build + self.push + self.pull

    @property
    def waiting(self) -> float:
        """The part that a visitor waits for: no penalties."""
        return self.spawn + self.queue + self.locality


def cost(
    member: MemberView,
    image: ImageView,
    *,
    fleet_utilisation: float,
    now: float,
    tier: LocalityTier | None = None,
    counts_load: bool = True,
    is_preferred: bool = False,
) -> Cost:
    """The cost of launching `image` at `member`.

    A member whose load is not known is taken to be as busy as the fleet. Without
    `counts_load` the load term is left out (the miss rule in `choose.py`). `tier` is
    what `find_tier` says, for who has asked already.
    """
    estimates, known = member.estimates, member.load
    tier = tier or find_tier(member.name, image)
    used = fleet_utilisation if known is None else known.utilisation
    spawn = estimates.spawn_seconds * (1.0 + 2.0 * min(used, 1.0) ** 8)
    if tier is LocalityTier.NODE and estimates.node_share == 1.0:
        build = push = pull = queue = 0.0  # what nearly every launch comes to
    elif tier is LocalityTier.WARM:
        spawn = build = push = pull = queue = 0.0
    else:
        build, push, pull = _locality_seconds(member, image, tier, now=now)
        queue = _queue_seconds(member, known) if tier.needs_build else 0.0
    load = 0.0
    if counts_load:
        is_whole = member.effective_weight >= member.weight
        share = used if is_whole else find_utilisation(member, fleet_utilisation)
        beta = LOAD_SECONDS_WHEN_BUSY if fleet_utilisation > BUSY_FLEET else LOAD_SECONDS
        load = beta * share / max(FREE_SHARE_FLOOR, 1.0 - share)
    failure = 0.0
    if member.success_share < 1.0 or member.state is not MemberState.UP:
        failure = (1.0 - _success_share(member)) * FAILURE_SECONDS
    stickiness = STICKINESS_SECONDS if is_preferred else 0.0
    total = spawn + build + push + pull + queue + load + failure - stickiness
    return Cost(tier, spawn, build, push, pull, queue, load, failure, total, stickiness)


def find_tier(name: str, image: ImageView) -> LocalityTier:
    """How near the member's copy of the image is."""
    if image.warm and name in image.warm:
        return LocalityTier.WARM
    held = image.tiers.get(name)
    if held is Tier.NODE:
        return LocalityTier.NODE
    if held is Tier.REGISTRY:
        return LocalityTier.REGISTRY
    if name in image.building_since:
        return LocalityTier.BUILDING
    if name in image.built_repository_recently:
        return LocalityTier.REBUILD
    return LocalityTier.ABSENT


def find_utilisation(member: MemberView, fleet_utilisation: float) -> float:
    """The used share of what the member may take now: its capacity, less in slow start.

    So a member that is coming back, empty and with images, is not given everything at
    once. One whose load is not known is taken to be as busy as the fleet.
    """
    if member.load is None:
        return fleet_utilisation
    used = member.load.utilisation
    if member.effective_weight < member.weight:
        return min(1.0, used * member.weight / max(member.effective_weight, 1e-9))
    return used


def _locality_seconds(
    member: MemberView, image: ImageView, tier: LocalityTier, *, now: float
) -> tuple[float, float, float]:
    """Seconds to build, to push and to pull the image at this member."""
    estimates = member.estimates
    pull = estimates.pull_seconds(image.size_bytes)
    match tier:
        case LocalityTier.WARM:
            return 0.0, 0.0, 0.0
        case LocalityTier.NODE:
            return 0.0, 0.0, (1.0 - estimates.node_share) * pull
        case LocalityTier.REGISTRY:
            return 0.0, 0.0, pull
        case LocalityTier.BUILDING:
            elapsed = now - image.building_since[member.name]
            left = estimates.build_seconds + estimates.push_seconds - elapsed
            return max(BUILD_LEFT_FLOOR_SECONDS, left), 0.0, pull
        case LocalityTier.REBUILD | LocalityTier.ABSENT:
            factor = REBUILD_FACTOR if tier is LocalityTier.REBUILD else 1.0
            return (
                factor * estimates.build_seconds,
                factor * estimates.push_seconds,
                factor * pull,
            )


def _queue_seconds(member: MemberView, load: Load | None) -> float:
    """Until one of the builds that are under way or in line makes room, on average."""
    if load is not None and not load.can_build:
        return NO_BUILDS_SECONDS
    if load is None or load.build_slots <= 0 or load.building < load.build_slots:
        return 0.0
    ahead = load.building - load.build_slots + 1
    return member.estimates.build_seconds * ahead / load.build_slots


def _success_share(member: MemberView) -> float:
    """Launches that are likely to succeed: what was seen, less by the state in panic."""
    share = member.success_share
    match member.state:
        case MemberState.SUSPECT | MemberState.UNKNOWN:
            return 0.5 * share
        case MemberState.DOWN:
            return 0.1 * share
        case _:
            # DEGRADED or RECOVERING have their smaller share in their weight; a cost on
            # top would leave them none at all.
            return share
