"""The terms of the cost, one at a time, and what holds for all of them."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from binder_federation.federation.core.cost import Cost, LocalityTier, cost
from binder_federation.federation.core.snapshot import (
    Estimates,
    ImageView,
    Load,
    MemberView,
)
from binder_federation.health.state import MemberState
from tests.unit.core.fleets import NOW, images, make_image, make_member, members

ESTIMATES = Estimates(
    spawn_seconds=10,
    build_seconds=200,
    push_seconds=20,
    pull_base_seconds=5,
    bandwidth_bytes_per_second=1e8,
)


def cost_of(member: MemberView, image: ImageView, fleet_utilisation: float = 0.0) -> Cost:
    return cost(member, image, fleet_utilisation=fleet_utilisation, now=NOW)


@pytest.mark.parametrize(
    ("image", "tier", "locality"),
    [
        (make_image(node=["alpha"]), LocalityTier.NODE, 0),
        (make_image(registry=["alpha"]), LocalityTier.REGISTRY, 15),
        (make_image(building={"alpha": NOW - 100}), LocalityTier.BUILDING, 120 + 15),
        (make_image(building={"alpha": NOW - 9999}), LocalityTier.BUILDING, 5 + 15),
        (make_image(built=["alpha"]), LocalityTier.REBUILD, 0.45 * 235),
        (make_image(), LocalityTier.ABSENT, 235),
        (make_image(node=["beta"], building={"beta": NOW}), LocalityTier.ABSENT, 235),
        # The nearest copy counts.
        (make_image(node=["alpha"], warm={"beta": 1}), LocalityTier.NODE, 0),
        (
            make_image(node=["alpha"], building={"alpha": NOW}, built=["alpha"]),
            LocalityTier.NODE,
            0,
        ),
    ],
)
def test_locality(image: ImageView, tier: LocalityTier, locality: float) -> None:
    found = cost_of(make_member("alpha", used=0, estimates=ESTIMATES), image)
    assert found.tier is tier
    assert found.locality == pytest.approx(locality)
    assert found.total == pytest.approx(10 + locality)


def test_where_a_server_waits_nothing_is_started() -> None:
    """Only what filling the member costs the others is left."""
    image = make_image(node=["alpha"], warm={"alpha": 1})
    found = cost_of(make_member("alpha", used=50, estimates=ESTIMATES), image, 0.5)
    assert found.tier is LocalityTier.WARM
    assert (found.spawn, found.locality, found.waiting) == (0.0, 0.0, 0.0)
    assert found.total == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("used", "fleet_utilisation", "load"),
    [(0, 0.0, 0.0), (50, 0.5, 10.0), (50, 0.71, 3.0), (90, 0.5, 90.0), (99, 0.5, 495.0)],
)
def test_load(used: int, fleet_utilisation: float, load: float) -> None:
    member = make_member(used=used)
    assert cost_of(member, make_image(), fleet_utilisation).load == pytest.approx(load)


def test_a_busy_member_starts_servers_more_slowly() -> None:
    member = make_member(used=100, estimates=ESTIMATES)
    assert cost_of(member, make_image()).spawn == pytest.approx(30)


def test_unknown_load_counts_as_the_fleets() -> None:
    assert cost_of(make_member(load=None), make_image(), 0.5).load == pytest.approx(10)


@pytest.mark.parametrize(
    ("building", "slots", "queue"), [(0, 2, 0), (1, 2, 0), (2, 2, 100), (5, 2, 400), (9, 0, 0)]
)
def test_queue(building: int, slots: int, queue: float) -> None:
    load = Load(capacity=10, building=building, build_slots=slots)
    member = make_member("alpha", load=load, estimates=ESTIMATES)
    assert cost_of(member, make_image()).queue == pytest.approx(queue)
    assert cost_of(member, make_image(node=["alpha"])).queue == 0


def test_a_member_without_room_for_builds_is_the_last_to_build_and_launches_as_ever() -> None:
    load = Load(capacity=10, build_slots=2, can_build=False)
    member = make_member("alpha", load=load, estimates=ESTIMATES)
    busy = make_member("beta", load=Load(capacity=10, building=9, build_slots=2))
    assert cost_of(member, make_image()).total > cost_of(busy, make_image()).total
    assert cost_of(member, make_image(node=["alpha"])).queue == 0


@pytest.mark.parametrize(
    ("state", "failure"),
    [
        (MemberState.UP, 0),
        (MemberState.RECOVERING, 0),
        (MemberState.SUSPECT, 60),
        (MemberState.DOWN, 108),
    ],
)
def test_failure(state: MemberState, failure: float) -> None:
    assert cost_of(make_member(state=state), make_image()).failure == pytest.approx(failure)


@given(member=members(), image=images(), utilisation=st.floats(0, 1))
def test_the_total_is_the_sum_and_never_negative(
    member: MemberView, image: ImageView, utilisation: float
) -> None:
    found = cost_of(member, image, utilisation)
    terms = (found.spawn, found.build, found.push, found.pull, found.queue)
    assert min(*terms, found.load, found.failure) >= 0
    assert found.waiting == pytest.approx(sum(terms))
    assert found.total == pytest.approx(sum(terms) + found.load + found.failure)


@given(
    member=members(),
    image=images(),
    utilisation=st.floats(0, 1),
    more=st.integers(1, 20),
    kind=st.sampled_from(["running", "pending", "building"]),
)
def test_more_load_never_makes_a_member_more_attractive(
    member: MemberView, image: ImageView, utilisation: float, more: int, kind: str
) -> None:
    assume(member.load is not None)
    before = member.load
    assert before is not None
    fields = {
        name: getattr(before, name)
        for name in ("capacity", "running", "pending", "building", "build_slots")
    }
    busier = make_member(
        member.name,
        state=member.state,
        weight=member.weight,
        effective_weight=member.effective_weight,
        estimates=member.estimates,
        load=Load(**{**fields, kind: fields[kind] + more}),
    )
    assert cost_of(busier, image, utilisation).total >= cost_of(member, image, utilisation).total
