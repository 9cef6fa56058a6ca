"""Small worlds for tests: synthetic launches, and policies run in them."""

from dataclasses import replace

from binder_federation.federation.simulation.bound import bound_waits
from binder_federation.federation.simulation.failures import Joining, Loss
from binder_federation.federation.simulation.plan import Plan, slots_of_each
from binder_federation.federation.simulation.run import PolicyName, Run, run_policy
from binder_federation.federation.simulation.settings import (
    FleetSettings,
    Registries,
    WorldSettings,
)
from binder_federation.federation.simulation.summary import Summary, summarise
from binder_federation.federation.simulation.synthetic import make_synthetic
from binder_federation.federation.simulation.trace import Trace
from binder_federation.federation.simulation.world import World, make_world

TRACE = make_synthetic(days=2, seed=1, per_day=1000)
SETTINGS = WorldSettings(commit_median_days=3.0)


def small_world(trace: Trace = TRACE, *, seed: int = 1) -> World:
    """Some thousand launches, a quarter of them counted out as warm-up."""
    return make_world(trace, SETTINGS, seed=seed)


def small_plan(
    *,
    members: int = 3,
    registries: Registries = Registries.OWN,
    has_redis: bool = True,
    replicas: int = 2,
    slots: int = 0,
    losses: tuple[Loss, ...] = (),
    joinings: tuple[Joining, ...] = (),
) -> Plan:
    """A fleet for `small_world`."""
    fleet = FleetSettings(
        members=members,
        registries=registries,
        has_redis=has_redis,
        replicas=replicas,
        slots=slots,
    )
    return Plan(fleet=fleet, world=SETTINGS, warm_up_days=0.5, losses=losses, joinings=joinings)


def without_events(plan: Plan) -> Plan:
    """The same fleet, and nothing happens to it."""
    return replace(plan, losses=(), joinings=())


def run_here(policy: PolicyName, plan: Plan, world: World, trace: Trace = TRACE) -> Run:
    """Simulate."""
    slots = slots_of_each(plan, trace)
    return run_policy(policy, plan, world, bound=bound_waits(world), slots=slots)


def summary_of(policy: PolicyName, plan: Plan, world: World, trace: Trace = TRACE) -> Summary:
    """Simulate, and sum up."""
    return summarise(run_here(policy, plan, world, trace), world, bound_waits(world))
