"""What nodes tell: images, taints, and where to put one more copy."""

import pytest

from binder_federation.cluster_agent.stacks.kubernetes.labels import Component, labels_of
from binder_federation.cluster_agent.stacks.kubernetes.nodes import read_node
from binder_federation.cluster_agent.stacks.kubernetes.prepull import (
    PrepullPod,
    choose_nodes,
    is_pulled,
    make_pod,
)
from binder_federation.cluster_agent.stacks.kubernetes.spawner_config import plan_hub
from binder_federation.config.agent import AgentSettings
from tests.unit.agent.kubernetes.launching import Json, node, server_pod, waiting

IMAGE = "registry.example.org/binder/images:a-b-0123"


def test_an_image_is_there_not_there_or_unknown() -> None:
    digest = "registry.example.org/binder/images@sha256:12"
    few = read_node(node(images=[IMAGE, digest]))
    many = read_node(node(images=[f"x:{number}" for number in range(50)]))
    assert few.has_image(IMAGE) is True
    assert few.has_image("y:1") is False
    assert many.has_image(IMAGE) is None, "a kubelet names fifty images and no more"


def taint(key: str, effect: str, value: str = "") -> Json:
    return {"key": key, "effect": effect, "value": value}


@pytest.mark.parametrize(
    ("taints", "tolerations", "fits"),
    [
        ([], [], True),
        ([taint("gpu", "NoSchedule")], [], False),
        ([taint("gpu", "PreferNoSchedule")], [], True),
        ([taint("gpu", "NoSchedule")], [{"key": "gpu", "operator": "Exists"}], True),
        ([taint("gpu", "NoSchedule")], [{"operator": "Exists"}], True),
        ([taint("gpu", "NoSchedule", "a")], [{"key": "gpu", "value": "a"}], True),
        ([taint("gpu", "NoSchedule", "a")], [{"key": "gpu", "value": "b"}], False),
        ([taint("gpu", "NoSchedule")], [taint("gpu", "NoExecute")], False),
        ([taint("node.kubernetes.io/disk-pressure", "NoSchedule")], [], True),
    ],
)
def test_taints(taints: list[Json], tolerations: list[Json], fits: bool) -> None:
    assert read_node(node(taints=taints)).fits({}, tolerations) is fits


def test_a_node_selector_chooses_nodes() -> None:
    one = read_node(node())
    assert one.fits({"pool": "users"}, [])
    assert not one.fits({"pool": "builds"}, [])


@pytest.mark.parametrize(
    ("nodes", "chosen"),
    [
        (None, [""]),
        ([], []),
        ([node("a"), node("b"), node("c")], ["a", "b"]),
        ([node("a", images=[IMAGE]), node("b"), node("c")], ["b"]),
        ([node("a", images=[IMAGE]), node("b", images=[IMAGE]), node("c")], []),
        ([node("a", unschedulable=True), node("b", conditions={"DiskPressure": "True"})], []),
    ],
)
def test_nodes_that_lack_the_image_pull_it(nodes: list[Json] | None, chosen: list[str]) -> None:
    read = None if nodes is None else [read_node(one) for one in nodes]
    assert choose_nodes(read, IMAGE, most=2) == chosen


@pytest.mark.parametrize(
    ("pod", "pulled"),
    [
        (server_pod(state=waiting("ContainerCreating")), False),
        (server_pod(state=waiting("ErrImagePull")), False),
        (server_pod(state=waiting("RunContainerError")), True),
        (server_pod(state={"terminated": {"exitCode": 127}}), True),
        (server_pod(state={"running": {}}), True),
        (server_pod(phase="Failed", reason="OutOfcpu"), False),
    ],
)
def test_the_pull_counts_not_the_command(pod: Json, pulled: bool) -> None:
    assert is_pulled(pod) is pulled


def test_a_pod_that_pulls_is_small_and_isolated() -> None:
    settings = AgentSettings(name="alpha", credential="c" * 32)
    pod = make_pod(PrepullPod("alpha", IMAGE, "n1", "prepull-1"), settings)
    spec, (container,) = pod["spec"], pod["spec"]["containers"]
    assert pod["metadata"]["labels"] == labels_of("alpha", Component.PREPULL)
    assert spec["nodeName"] == "n1"
    assert spec["automountServiceAccountToken"] is False
    assert spec["activeDeadlineSeconds"] > 0
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["resources"]["requests"] == container["resources"]["limits"]


@pytest.mark.parametrize(
    ("repository", "asked", "policy"),
    [
        ("registry.example.org/binder/images", None, "IfNotPresent"),
        ("", None, "Never"),  # the name may be somebody else's on the internet
        ("", "IfNotPresent", "IfNotPresent"),
        ("registry.example.org/binder/images", "Always", "Always"),
    ],
)
def test_nothing_is_pulled_without_a_registry_of_ours(
    repository: str, asked: str | None, policy: str
) -> None:
    settings = AgentSettings.model_validate(
        {
            "name": "alpha",
            "credential": "a-credential-for-tests-of-at-least-32-bytes",
            "registry": {"repository": repository},
            "kubernetes": {"user": {"image_pull_policy": asked}},
        }
    )
    pod = make_pod(PrepullPod("alpha", "x/y:1", "n1", "prepull-x"), settings)
    assert pod["spec"]["containers"][0]["imagePullPolicy"] == policy
    plan = plan_hub(settings, namespace="here", most_sessions=1, kubeconfig=None)
    assert plan.spawner["user"]["image_pull_policy"] == policy
