"""Policies in small worlds: bounds, orders, and what a lost or a new member moves."""

from dataclasses import replace

import pytest

from binder_federation.federation.simulation.bound import bound_waits
from binder_federation.federation.simulation.disturbance import compare
from binder_federation.federation.simulation.failures import Joining, Loss
from binder_federation.federation.simulation.run import PolicyName
from binder_federation.federation.simulation.settings import Registries
from binder_federation.federation.simulation.tally import NOT_READY
from binder_federation.federation.simulation.tally import Loss as Lost
from binder_federation.federation.simulation.trace import make_trace
from binder_federation.federation.simulation.world import make_world
from tests.simulation.worlds import (
    SETTINGS,
    run_here,
    small_plan,
    small_world,
    summary_of,
    without_events,
)

DAY_SECONDS = 86_400.0
ALL = list(PolicyName)
WORLDS = list(Registries)


@pytest.mark.parametrize("registries", WORLDS)
@pytest.mark.parametrize("policy", ALL)
def test_no_launch_is_ready_before_the_bound(policy: PolicyName, registries: Registries) -> None:
    world = small_world()
    run = run_here(policy, small_plan(registries=registries, slots=60), world)
    waits = bound_waits(world)
    early = [
        number
        for number, seconds in enumerate(run.tally.seconds)
        if seconds != NOT_READY and seconds < waits[number] + world.spawn[number] - 1e-6
    ]
    assert not early, f"{policy} beat the bound in launch {early[0]}"


@pytest.mark.parametrize("policy", ALL)
def test_where_seconds_went_adds_up(policy: PolicyName) -> None:
    summary = summary_of(policy, small_plan(slots=75), small_world())
    assert sum(summary.lost_seconds.values()) == pytest.approx(summary.avoidable_seconds), (
        "every second above the bound has its cause"
    )


@pytest.mark.parametrize("registries", WORLDS)
def test_ours_and_the_oracle_are_well_below_random(registries: Registries) -> None:
    world, plan = small_world(), small_plan(registries=registries)
    ours, oracle, random = (
        summary_of(policy, plan, world)
        for policy in (PolicyName.OURS, PolicyName.ORACLE, PolicyName.RANDOM)
    )
    assert oracle.avoidable_seconds < random.avoidable_seconds, "the oracle knows more"
    assert ours.mean_seconds < 1.05 * oracle.mean_seconds, "ours knows enough"
    assert ours.avoidable_seconds < 0.85 * random.avoidable_seconds, "chance knows nothing"
    assert ours.duplicate_builds <= random.duplicate_builds, "and builds no more"


def test_two_policies_are_tried_on_the_same_world() -> None:
    world, plan = small_world(), small_plan()
    before = (world.spawn[:], world.session[:], world.images)
    first = run_here(PolicyName.OURS, plan, world)
    run_here(PolicyName.RANDOM, plan, world)
    again = run_here(PolicyName.OURS, plan, world)
    assert (world.spawn, world.session, world.images) == before, "nothing of it was used up"
    assert first.tally.seconds == again.tally.seconds, "so the same policy does the same again"


def test_every_launch_is_ready_or_refused() -> None:
    world = small_world()
    run = run_here(PolicyName.OURS, small_plan(slots=30), world)
    refused = sum(1 for seconds in run.tally.seconds if seconds == NOT_READY)
    counted = sum(1 for at in world.at if at >= run.tally.from_seconds)
    assert 0 < run.tally.counts["refusals"] <= refused <= counted + 1000, "refusals are counted"
    placed = sum(1 for index in run.tally.placed if index >= 0)
    assert placed + refused == len(world), "and nothing gets lost"


def test_replicas_without_redis_decide_from_their_own_streams() -> None:
    world = small_world()
    up = summary_of(PolicyName.OURS, small_plan(), world)
    down = summary_of(PolicyName.OURS, small_plan(has_redis=False), world)
    random = summary_of(PolicyName.RANDOM, small_plan(has_redis=False), world)
    assert down.mean_seconds < 1.1 * up.mean_seconds, "they agree by rank and hear by reports"
    assert down.mean_seconds < random.mean_seconds, "and still know more than chance"


def test_a_lost_member_moves_only_what_it_held() -> None:
    world = small_world()
    plan = small_plan(slots=300, losses=(Loss("member-2", 1.2 * DAY_SECONDS, 7200.0),))
    run = run_here(PolicyName.OURS, plan, world)
    without = run_here(PolicyName.OURS, without_events(plan), world)
    (event,) = compare(plan, run, without, world)
    assert event.kind == "lost", "it is told what happened"
    assert event.launches > 50, "the test needs launches while it is lost"
    assert event.moved_share <= 0.05, f"{event.moved} launches moved without need"


def test_a_lost_member_gets_nothing_and_comes_back() -> None:
    world = small_world()
    at, until = 1.2 * DAY_SECONDS, 1.3 * DAY_SECONDS
    plan = small_plan(losses=(Loss("member-2", at, until - at),))
    tally = run_here(PolicyName.OURS, plan, world).tally
    placed = list(zip(world.at, tally.placed, strict=True))
    assert all(index != 1 for now, index in placed if at < now < until), "nothing is ready there"
    later = until + 3600.0
    assert any(index == 1 for now, index in placed if now > later), "it is back in time"


@pytest.mark.parametrize("policy", [PolicyName.RANDOM, PolicyName.OURS])
def test_launches_at_a_member_that_is_just_lost_go_on_elsewhere(policy: PolicyName) -> None:
    trace = make_trace("busy", [(number // 20, "a", "a") for number in range(800)])
    world = make_world(trace, SETTINGS, seed=1)
    retries = 0.0
    for member in ("member-1", "member-2"):  # one of them is the repository's usual place
        losses = (Loss(member, 1200.0, 600.0),)
        plan = replace(small_plan(members=2, slots=2000, losses=losses), warm_up_days=0.001)
        tally = run_here(policy, plan, world, trace).tally
        assert NOT_READY not in tally.seconds, "every launch became ready"
        retries += tally.lost_seconds[Lost.RETRIES]
    assert retries >= 5.0, "finding out cost somebody the time to connect"


def test_an_empty_member_that_joins_takes_part() -> None:
    world = small_world()
    plan = small_plan(joinings=(Joining("fresh", 1.0 * DAY_SECONDS),))
    run = run_here(PolicyName.OURS, plan, world)
    without = run_here(PolicyName.OURS, without_events(plan), world)
    (event,) = compare(plan, run, without, world)
    placed = list(zip(world.at, run.tally.placed, strict=True))
    assert all(index != 3 for now, index in placed if now < DAY_SECONDS), "not before it joins"
    assert any(index == 3 for _, index in placed), "and then it gets its share"
    assert event.builds <= event.builds_without + 5, "which starts hardly any build"


def test_a_single_replica_is_like_two_with_redis() -> None:
    world = small_world()
    one, two = (
        summary_of(PolicyName.OURS, small_plan(replicas=replicas), world) for replicas in (1, 2)
    )
    assert two.mean_seconds == pytest.approx(one.mean_seconds, rel=0.03), "news travel fast"
