"""What the decision is made from: the fleet and one image, frozen.

The shell makes a new `Fleet` when something changed and swaps it whole. What every
decision needs of all members is worked out once, when the fleet is made. Members are
read far more often than made, so they are slotted; what is made anew for every decision
is a named tuple, which costs a third of a frozen dataclass.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from binder_federation.binder.messages import Tier
from binder_federation.binder.spec import ImageKey
from binder_federation.health.state import MemberState

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Load:
    """How busy a member is. Launches in flight count as pending."""

    capacity: int
    running: int = 0
    pending: int = 0
    building: int = 0
    build_slots: int = 0
    warm: int = 0
    """Servers that wait for visitors: they give way to launches, and make nobody fuller."""
    can_build: bool = True
    """Whether it has room for a build: images that are there start all the same."""

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
        used = self.running + self.pending
        return used / self.capacity if self.capacity > 0 else 1.0


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
    is_joining: bool = False
    """It was invited, and its checks have not passed yet."""
    last_well_at: float | None = None
    """When it last passed a probe."""
    is_ejected: bool = False
    """Outlier detection keeps it out for a while, whatever its probes say."""
    success_share: float = 1.0
    """Of its launches that did not fail for the repository's sake or for want of room."""
    estimates: Estimates = Estimates()

    def with_load(self, load: Load | None) -> "MemberView":
        """The same member with another load: what changes with every launch."""
        return MemberView(  # a third of what `dataclasses.replace` takes
            name=self.name,
            state=self.state,
            weight=self.weight,
            effective_weight=self.effective_weight,
            load=load,
            is_compatible=self.is_compatible,
            incompatibility=self.incompatibility,
            is_draining=self.is_draining,
            is_joining=self.is_joining,
            last_well_at=self.last_well_at,
            is_ejected=self.is_ejected,
            success_share=self.success_share,
            estimates=self.estimates,
        )


class Fleet:
    """All members, and what follows from all of them together. It is never changed."""

    __slots__ = ("by_name", "capacity", "members", "used")

    def __init__(self, members: tuple[MemberView, ...]) -> None:
        loads = [member.load for member in members if member.load is not None]
        self.members = members
        self.by_name: Mapping[str, MemberView] = {member.name: member for member in members}
        self.used = sum([load.used for load in loads])
        """Sessions at all members whose load is known."""
        self.capacity = sum([load.capacity for load in loads])
        """What those members take together."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fleet) and self.members == other.members

    def __hash__(self) -> int:
        return hash(self.members)

    def __repr__(self) -> str:
        return f"Fleet({self.members!r})"

    @property
    def utilisation(self) -> float:
        """The used share of all known capacity; 0 when no load is known."""
        return self.used / self.capacity if self.capacity else 0.0

    def with_members(self, members: Iterable[MemberView]) -> "Fleet":
        """The fleet after a change of some of its members, without going through all again."""
        by_name = dict(self.by_name)
        used, capacity = self.used, self.capacity
        for member in members:
            before, after = by_name[member.name].load, member.load
            by_name[member.name] = member
            if before is not None:
                used -= before.used
                capacity -= before.capacity
            if after is not None:
                used += after.used
                capacity += after.capacity
        fleet = object.__new__(Fleet)
        fleet.by_name = by_name
        fleet.members = tuple(by_name.values())
        fleet.used, fleet.capacity = used, capacity
        return fleet


class ImageView(NamedTuple):
    """What is known of the image that somebody wants, and of its repository."""

    key: ImageKey
    affinity_key: str
    """Names the repository, whatever the ref."""
    size_bytes: int = 0
    """The best guess while no member holds it."""
    tiers: Mapping[str, Tier] = NOTHING
    """Members that hold it, and how near."""
    warm: Mapping[str, int] = NOTHING
    """Members where servers of it wait for visitors, and how many."""
    building_since: Mapping[str, float] = NOTHING
    """Members that build it just now, and since when."""
    built_repository_recently: frozenset[str] = frozenset()
    """Members that built this repository, at any ref, within 14 days."""
