"""What the decision is made from: the fleet and one image, frozen.

The shell makes a new `Fleet` when something changed and swaps it whole. What every
decision needs of all members is worked out once, when the fleet is made.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from binder_federation.binder.messages import Tier
from binder_federation.binder.spec import ImageKey
from binder_federation.health.state import MemberState


@dataclass(frozen=True, slots=True)
class Load:
    """How busy a member is. Launches in flight count as pending."""

    capacity: int
    running: int = 0
    pending: int = 0
    building: int = 0
    build_slots: int = 0

    @property
    def used(self) -> int:
        """Sessions that have a place, or will."""
        return self.running + self.pending

    @property
    def is_full(self) -> bool:
        """Whether nothing more fits."""
        return self.used >= self.capacity

    @property
    def utilisation(self) -> float:
        """The used share of the capacity; 1 when there is no capacity."""
        return self.used / self.capacity if self.capacity > 0 else 1.0


@dataclass(frozen=True, slots=True)
class Estimates:
    """How long a member takes, in seconds and bytes per second."""

    spawn_seconds: float = 10.0
    build_seconds: float = 180.0
    push_seconds: float = 20.0
    pull_base_seconds: float = 5.0
    bandwidth_bytes_per_second: float = 100e6

    def pull_seconds(self, size_bytes: int) -> float:
        """From the registry to where servers start."""
        return self.pull_base_seconds + size_bytes / self.bandwidth_bytes_per_second


@dataclass(frozen=True, slots=True)
class MemberView:
    """One member, as far as a decision needs it."""

    name: str
    state: MemberState
    weight: float = 1.0
    """The configured share."""
    effective_weight: float = 1.0
    """The share after slow start."""
    load: Load | None = None
    """None when it is not known: an unmodified BinderHub, or a report that is too old."""
    is_compatible: bool = True
    incompatibility: str = ""
    """Why it is not compatible, for people."""
    is_draining: bool = False
    last_well_at: float | None = None
    """When it last passed a probe."""
    is_ejected: bool = False
    """Outlier detection keeps it out for a while, whatever its probes say."""
    success_share: float = 1.0
    """Of its launches that did not fail for the repository's sake or for want of room."""
    estimates: Estimates = Estimates()


@dataclass(frozen=True, slots=True)
class Fleet:
    """All members, and what follows from all of them together."""

    members: tuple[MemberView, ...]
    by_name: Mapping[str, MemberView] = field(init=False, repr=False, compare=False)
    utilisation: float = field(init=False, repr=False, compare=False)
    """The used share of all known capacity; 0 when no load is known."""

    def __post_init__(self) -> None:
        # Frozen: this is how a dataclass of that kind sets what it derives.
        object.__setattr__(self, "by_name", {member.name: member for member in self.members})
        object.__setattr__(self, "utilisation", _utilisation(self.members))


@dataclass(frozen=True, slots=True)
class ImageView:
    """What is known of the image that somebody wants, and of its repository."""

    key: ImageKey
    affinity_key: str
    """Names the repository, whatever the ref."""
    size_bytes: int = 0
    """The best guess while no member holds it."""
    tiers: Mapping[str, Tier] = field(default_factory=dict)
    """Members that hold it, and how near."""
    building_since: Mapping[str, float] = field(default_factory=dict)
    """Members that build it just now, and since when."""
    built_repository_recently: frozenset[str] = frozenset()
    """Members that built this repository, at any ref, within 14 days."""


def _utilisation(members: tuple[MemberView, ...]) -> float:
    loads = [member.load for member in members if member.load is not None]
    capacity = sum(load.capacity for load in loads)
    return sum(load.used for load in loads) / capacity if capacity else 0.0
