"""One run: a policy in a world. Puts the parts together."""

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from time import process_time

from binder_federation.config.federation import HealthSettings
from binder_federation.federation.simulation.agenda import Agenda
from binder_federation.federation.simulation.draws import rng_for
from binder_federation.federation.simulation.engine import Engine
from binder_federation.federation.simulation.health_board import HealthBoard
from binder_federation.federation.simulation.knowledge import Knowledge
from binder_federation.federation.simulation.member import SimMember
from binder_federation.federation.simulation.plan import Plan
from binder_federation.federation.simulation.policies.chance import (
    RandomPolicy,
    TwoChoicesPolicy,
)
from binder_federation.federation.simulation.policies.contract import Policy
from binder_federation.federation.simulation.policies.hashing import (
    BoundedLoadsPolicy,
    RendezvousPolicy,
)
from binder_federation.federation.simulation.policies.oracle import OraclePolicy
from binder_federation.federation.simulation.policies.ours import OursPolicy
from binder_federation.federation.simulation.registries import Replication
from binder_federation.federation.simulation.settings import DAY_SECONDS, Registries
from binder_federation.federation.simulation.tally import Tally
from binder_federation.federation.simulation.world import World


class PolicyName(StrEnum):
    """The policies that can be asked for."""

    OURS = "ours"
    RANDOM = "random"
    TWO_CHOICES = "two-choices"
    RENDEZVOUS = "rendezvous"
    BOUNDED_LOADS = "bounded-loads"
    ORACLE = "oracle"


@dataclass(frozen=True, slots=True)
class Run:
    """What a run counted, and the processor time that it took."""

    policy: PolicyName
    seed: int
    tally: Tally
    cpu_seconds: float


def run_policy(
    name: PolicyName,
    plan: Plan,
    world: World,
    *,
    bound: "array[float]",
    slots: int,
    on_progress: Callable[[int], None] = lambda _launches: None,
) -> Run:
    """Simulate one policy; `slots` is what each member takes, `bound` that of `bound.py`."""
    started_at = process_time()
    agenda = Agenda()
    members = _make_members(plan, slots)
    board = HealthBoard(members, agenda=agenda, settings=HealthSettings())
    knowledge = Knowledge(
        members,
        board=board,
        settings=plan.fleet,
        session_seconds=plan.world.session_mean_seconds,
        seed=world.seed,
    )
    tally = Tally(len(world), from_seconds=plan.warm_up_days * DAY_SECONDS)
    engine = Engine(
        world,
        members,
        policy=_make_policy(name, members, knowledge, world),
        knowledge=knowledge,
        board=board,
        agenda=agenda,
        settings=plan.fleet,
        tally=tally,
        bound=bound,
    )
    _schedule(plan, engine, agenda)
    engine.run(on_progress)
    return Run(name, world.seed, tally, process_time() - started_at)


def _make_members(plan: Plan, slots: int) -> list[SimMember]:
    fleet = plan.fleet
    is_replicated = fleet.registries is Registries.REPLICATED
    replication = Replication(fleet.replication_seconds) if is_replicated else None
    return [
        SimMember(
            name,
            index=index,
            slots=slots,
            build_slots=fleet.build_slots,
            cache_bytes=fleet.cache_bytes_per_slot * slots,
            replication=replication,
            settings=plan.world,
            is_present=index < fleet.members,
        )
        for index, name in enumerate(plan.names)
    ]


def _make_policy(
    name: PolicyName, members: list[SimMember], knowledge: Knowledge, world: World
) -> Policy:
    rng = rng_for(world.seed, "policy", name)
    match name:
        case PolicyName.OURS:
            return OursPolicy(knowledge=knowledge, rng=rng)
        case PolicyName.RANDOM:
            return RandomPolicy(knowledge=knowledge, rng=rng)
        case PolicyName.TWO_CHOICES:
            return TwoChoicesPolicy(knowledge=knowledge, rng=rng)
        case PolicyName.RENDEZVOUS:
            return RendezvousPolicy(knowledge=knowledge)
        case PolicyName.BOUNDED_LOADS:
            return BoundedLoadsPolicy(knowledge=knowledge)
        case PolicyName.ORACLE:
            return OraclePolicy(members=members, world=world)


def _schedule(plan: Plan, engine: Engine, agenda: Agenda) -> None:
    index = {name: number for number, name in enumerate(plan.names)}
    for loss in plan.losses:
        agenda.add(loss.at, engine.lose, index[loss.member])
        agenda.add(loss.until, engine.restore, index[loss.member])
    for joining in plan.joinings:
        agenda.add(joining.at, engine.join, index[joining.member])
