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
    node_share: float = 1.0
    """Of the launches of an image that is on a node: how many start on such a node."""

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

    def with_load(self, load: Load | None) -> "MemberView":
        """The same member with another load: what changes with every launch."""
        return MemberView(
            self.name,
            self.state,
            self.weight,
            self.effective_weight,
            load,
            self.is_compatible,
            self.incompatibility,
            self.is_draining,
            self.last_well_at,
            self.is_ejected,
            self.success_share,
            self.estimates,
        )

    estimates: Estimates = Estimates()


@dataclass(frozen=True, slots=True)
class Fleet:
    """All members, and what follows from all of them together."""

    members: tuple[MemberView, ...]
    by_name: Mapping[str, MemberView] = field(init=False, repr=False, compare=False)
    used: int = field(init=False, repr=False, compare=False)
    """Sessions at all members whose load is known."""
    capacity: int = field(init=False, repr=False, compare=False)
    """What those members take together."""

    def __post_init__(self) -> None:
        loads = [member.load for member in self.members if member.load is not None]
        self._derive(
            {member.name: member for member in self.members},
            sum(load.used for load in loads),
            sum(load.capacity for load in loads),
        )

    @property
    def utilisation(self) -> float:
        """The used share of all known capacity; 0 when no load is known."""
        return self.used / self.capacity if self.capacity else 0.0

    def with_member(self, member: MemberView) -> "Fleet":
        """The fleet after a change of one of its members, without going through all again."""
        before = self.by_name[member.name]
        by_name = {**self.by_name, member.name: member}
        used, capacity = self.used, self.capacity
        if before.load is not None:
            used, capacity = used - before.load.used, capacity - before.load.capacity
        if member.load is not None:
            used, capacity = used + member.load.used, capacity + member.load.capacity
        fleet = object.__new__(Fleet)
        object.__setattr__(fleet, "members", tuple(by_name.values()))
        fleet._derive(by_name, used, capacity)
        return fleet

    def _derive(self, by_name: Mapping[str, MemberView], used: int, capacity: int) -> None:
        # Frozen: this is how a dataclass of that kind sets what it derives.
        object.__setattr__(self, "by_name", by_name)
        object.__setattr__(self, "used", used)
        object.__setattr__(self, "capacity", capacity)


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
