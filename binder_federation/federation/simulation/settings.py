"""What a simulation assumes. Every number here is printed with its result.

The trace has arrivals only: no durations, sizes, builds or commits. Those are drawn from
the distributions below; medians and spreads are of lognormal ones, where a spread is the
standard deviation of the logarithm.
"""

from dataclasses import dataclass, fields
from enum import StrEnum
from math import erf, exp, log, sqrt

from binder_federation.federation.core.cost import REBUILD_FACTOR
from binder_federation.runtime.errors import ServiceError

DAY_SECONDS = 86_400.0


class SimulationError(ServiceError):
    """A simulation cannot be run as it was asked for."""

    code = "simulation_error"


class Registries(StrEnum):
    """Who can pull what."""

    OWN = "own"
    """Each member has a registry of its own, and builds what is not in it."""
    REPLICATED = "replicated"
    """What one member pushed is in every member's registry a little later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSettings:
    """What things take, whoever decides."""

    spawn_median_seconds: float = 10.0
    spawn_spread: float = 0.3
    build_median_seconds: float = 180.0
    build_spread: float = 0.7
    rebuild_factor: float = REBUILD_FACTOR
    """A build, its push and its pull, where the repository was built recently."""
    rebuild_memory_days: float = 14.0
    size_median_bytes: float = 1.5e9
    size_spread: float = 0.6
    transfer_base_seconds: float = 5.0
    """A push or a pull of nothing."""
    bandwidth_bytes_per_second: float = 100e6
    session_base_seconds: float = 600.0
    """Idle sessions end after so long."""
    session_median_seconds: float = 900.0
    """On top of the base."""
    session_spread: float = 1.0
    session_most_seconds: float = 21_600.0
    moving_share: float = 0.7
    """Of the repositories: those that get commits, each a new image."""
    commit_median_days: float = 10.0
    """Between two commits of a repository."""
    commit_spread: float = 1.0
    """Of the repositories' own paces."""

    @property
    def session_mean_seconds(self) -> float:
        """How long a session lasts in the mean."""
        room = self.session_most_seconds - self.session_base_seconds
        mean, spread = log(self.session_median_seconds), self.session_spread
        below = _normal((log(room) - mean - spread**2) / spread)
        above = 1.0 - _normal((log(room) - mean) / spread)
        return self.session_base_seconds + exp(mean + spread**2 / 2) * below + room * above

    def transfer_seconds(self, size_bytes: float) -> float:
        """To push or pull so many bytes."""
        return self.transfer_base_seconds + size_bytes / self.bandwidth_bytes_per_second


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSettings:
    """The members, and what the federation's replicas know of them."""

    members: int = 3
    slots: int = 0
    """Sessions of all members together, the same for any number of them; 0: by utilisation."""
    utilisation: float = 0.3
    """The mean used share that `slots` are worked out from: 0.3 makes a fleet that the busiest
    minute of six weeks at mybinder.org just fits in."""
    registries: Registries = Registries.OWN
    replication_seconds: float = 60.0
    build_slots: int = 4
    """Builds at once, at each member."""
    cache_bytes_per_slot: float = 8e9
    """A member's machines hold so much of images for each of its sessions."""
    replicas: int = 2
    has_redis: bool = True
    report_every_seconds: float = 10.0
    report_delay_seconds: float = 0.2
    news_delay_seconds: float = 0.1
    """Until other replicas know what one decided or saw."""
    refusal_seconds: float = 0.3
    """What it costs a launch to be refused by a full member."""
    connect_seconds: float = 5.0
    """What it costs a launch to find out that a member does not answer."""
    attempts: int = 4


def describe(*settings: object) -> dict[str, object]:
    """All settings by name, for people and for JSON."""
    found: dict[str, object] = {}
    for each in settings:
        for field in fields(each):  # type: ignore[arg-type]
            value = getattr(each, field.name)
            found[field.name] = value.value if isinstance(value, StrEnum) else value
    return found


def _normal(value: float) -> float:
    return 0.5 * (1.0 + erf(value / sqrt(2.0)))
