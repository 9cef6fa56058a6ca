"""How many servers a cluster still carries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.cluster_agent.stacks.kubernetes.nodes import read_node
from binder_federation.cluster_agent.stacks.kubernetes.quantities import (
    read_quantity,
    requests_of,
)
from binder_federation.cluster_agent.stacks.kubernetes.room import (
    Seen,
    demand_of,
    fits_in_quotas,
    fits_on_nodes,
    read_room,
)
from binder_federation.config.resources import ResourceSettings
from tests.unit.agent.kubernetes.launching import Json, busy_pod, node, quota, server_pod

DEMAND = demand_of(
    ResourceSettings(cpu_guarantee=0.5, memory_guarantee="1G", memory_limit="2G"), "64Mi", "10Gi"
)
UNSCHEDULABLE = {"type": "PodScheduled", "reason": "Unschedulable"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", 2), ("500m", 0.5), ("1Gi", 1 << 30), ("1.5G", 1.5e9), ("2e3", 2000), ("1E", 1e18),
        ("100n", 1e-7), ("0", 0), (3, 3),
    ],
)  # fmt: skip
def test_quantities(text: str | int, value: float) -> None:
    assert read_quantity(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "Gi", "two", "1.2.3"])
def test_no_quantity(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - float has words of its own
        read_quantity(text)


def test_init_containers_count_once() -> None:
    def container(**requests: str) -> Json:
        return {"resources": {"requests": requests}}

    pod = {
        "spec": {
            "containers": [container(cpu="1", memory="1Gi"), container(cpu="1")],
            "initContainers": [container(cpu="500m", memory="3Gi"), container(memory="2Gi")],
        }
    }
    assert requests_of(pod) == {"cpu": 2, "memory": 3 << 30, "ephemeral-storage": 0}


def test_a_limit_alone_reserves_next_to_nothing() -> None:
    demand = demand_of(ResourceSettings(cpu_limit=2, memory_guarantee=""), "", "")
    assert 0 < demand["requests.cpu"] < 0.1
    assert 0 < demand["requests.memory"] < 100e6
    assert demand["limits.cpu"] == 2


@pytest.mark.parametrize(
    ("quotas", "fits"),
    [
        ([], None),
        ([quota({"pods": "10"}, {"pods": "7"})], 3),
        ([quota({"count/pods": "10"}, {"count/pods": "11"})], 0),
        ([quota({"requests.cpu": "4"}, {"requests.cpu": "2500m"})], 3),
        ([quota({"memory": "10Gi"}, {"memory": "4Gi"})], 6),
        ([quota({"limits.memory": "10Gi"}, {"limits.memory": "4Gi"})], 3),
        ([quota({"pods": "10"}, {"pods": "0"}), quota({"requests.memory": "2Gi"}, {})], 2),
        ([quota({"services": "0", "limits.cpu": "1"}, {})], None),
        ([quota({"pods": "1"}, {"pods": "1"}, scopes=["BestEffort"])], None),
        ([quota({"pods": "1"}, {"pods": "1"}, scopes=["NotTerminating"])], 0),
        ([quota({"pods": "1"}, {"pods": "1"}, scopeSelector={"matchExpressions": []})], None),
    ],
)
def test_quotas(quotas: list[Json], fits: int | None) -> None:
    assert fits_in_quotas(quotas, DEMAND) == fits


@pytest.mark.parametrize(
    ("nodes", "pods", "fits"),
    [
        ([node()], [], 8),  # 4 cores, half a core each
        ([node()], [busy_pod("n1", cpu="3", memory="1Gi")], 2),
        ([node()], [busy_pod("n1", cpu="4", phase="Succeeded")], 8),
        ([node()], [busy_pod("n2", cpu="4")], 8),
        ([node("n1"), node("n2")], [busy_pod("n2", memory="6Gi")], 10),
        ([node(allocatable={"cpu": "64", "memory": "1Ti", "pods": "3"})], [busy_pod("n1")], 2),
        ([node(unschedulable=True)], [], 0),
        ([node(conditions={"Ready": "Unknown"})], [], 0),
        ([node(conditions={"DiskPressure": "True"}), node("n2")], [], 8),
        ([node(conditions={"MemoryPressure": "True"})], [], 0),
        ([node()], [busy_pod("n1", cpu="6")], 0),
        ([], [], 0),
    ],
)
def test_nodes(nodes: list[Json], pods: list[Json], fits: int) -> None:
    assert fits_on_nodes([read_node(one) for one in nodes], pods, DEMAND) == fits


@given(st.lists(st.integers(0, 4000), max_size=8), st.integers(1, 4000))
def test_a_further_pod_never_makes_room(taken: list[int], more: int) -> None:
    nodes = [read_node(node())]
    pods = [busy_pod("n1", cpu=f"{each}m") for each in taken]
    before = fits_on_nodes(nodes, pods, DEMAND)
    after = fits_on_nodes(nodes, [*pods, busy_pod("n1", cpu=f"{more}m")], DEMAND)
    assert before is not None
    assert after is not None
    assert 0 <= after <= before


def make_seen(*, nodes: list[Json] | None, quotas: list[Json], servers: list[Json]) -> Seen:
    read = None if nodes is None else [read_node(one) for one in nodes]
    return Seen(quotas=quotas, pods=[], servers=servers, nodes=read, build_nodes=read)


def test_the_least_of_quota_and_nodes_counts() -> None:
    few = make_seen(nodes=[node()], quotas=[quota({"pods": "3"}, {})], servers=[])
    many = make_seen(nodes=[node()], quotas=[quota({"pods": "30"}, {})], servers=[])
    assert read_room(few, DEMAND, is_autoscaled=False).sessions == 3
    assert read_room(many, DEMAND, is_autoscaled=False).sessions == 8
    assert read_room(many, DEMAND, is_autoscaled=True).sessions == 30


def test_what_may_not_be_read_does_not_count() -> None:
    room = read_room(make_seen(nodes=None, quotas=[], servers=[]), DEMAND, is_autoscaled=False)
    assert (room.sessions, room.can_build) == (None, True)


def test_a_server_that_finds_no_node_tells_more_than_sums() -> None:
    waiting = server_pod(phase="Pending", conditions=[UNSCHEDULABLE])
    seen = make_seen(nodes=[node()], quotas=[], servers=[waiting])
    room = read_room(seen, DEMAND, is_autoscaled=False)
    assert room.sessions == 0
    assert room.reason
    assert read_room(seen, DEMAND, is_autoscaled=True).sessions is None


@pytest.mark.parametrize(
    ("nodes", "can_build"),
    [
        ([node(conditions={"DiskPressure": "True"})], False),
        ([node(conditions={"DiskPressure": "True"}), node("n2")], True),
        ([node(unschedulable=True)], False),
        ([node(conditions={"MemoryPressure": "True"})], True),
    ],
)
def test_builds_stop_where_disks_are_full(nodes: list[Json], can_build: bool) -> None:
    room = read_room(make_seen(nodes=nodes, quotas=[], servers=[]), DEMAND, is_autoscaled=False)
    assert room.can_build is can_build
    assert bool(room.reason) or can_build
