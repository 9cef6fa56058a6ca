"""What is to be simulated: one plan for any number of runs, and checked before them."""

from dataclasses import dataclass
from math import ceil

from binder_federation.federation.simulation.failures import Joining, Loss
from binder_federation.federation.simulation.settings import (
    DAY_SECONDS,
    FleetSettings,
    SimulationError,
    WorldSettings,
)
from binder_federation.federation.simulation.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The fleet and what happens to it. It holds for all seeds and policies."""

    fleet: FleetSettings
    world: WorldSettings
    warm_up_days: float = 10.0
    losses: tuple[Loss, ...] = ()
    joinings: tuple[Joining, ...] = ()

    @property
    def has_events(self) -> bool:
        """Whether anybody is lost or joins."""
        return bool(self.losses or self.joinings)

    @property
    def names(self) -> tuple[str, ...]:
        """The members', and then those that join."""
        usual = tuple(f"member-{number}" for number in range(1, self.fleet.members + 1))
        return usual + tuple(joining.member for joining in self.joinings)

    def check(self, trace: Trace) -> None:
        """Raise `SimulationError` when the plan does not fit itself or the trace."""
        if self.warm_up_days >= trace.days:
            raise SimulationError(
                f"The warm-up of {self.warm_up_days:g} days leaves nothing of a trace of"
                f" {trace.days:.1f} days."
            )
        names = self.names
        for name in names:
            if names.count(name) > 1:
                raise SimulationError(f"There would be two members of the name {name!r}.")
        for loss in self.losses:
            if loss.member not in names:
                raise SimulationError(
                    f"There is no member {loss.member!r}; there are {', '.join(names)}."
                )
        end = trace.days * DAY_SECONDS
        late = [event.member for event in self.losses if event.at >= end]
        late += [event.member for event in self.joinings if event.at >= end]
        if late:
            raise SimulationError(f"The trace ends before anything happens to {late[0]!r}.")


def slots_of_each(plan: Plan, trace: Trace) -> int:
    """Sessions that each member takes: an equal share of all slots."""
    fleet = plan.fleet
    total: float = fleet.slots
    if not total:
        sessions = len(trace) / (trace.days * DAY_SECONDS) * plan.world.session_mean_seconds
        total = sessions / fleet.utilisation
    return max(1, ceil(total / fleet.members))
