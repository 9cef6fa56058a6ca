"""A build's pod and Secret, as objects."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.binder.spec import ImageKey, affinity_key
from binder_federation.cluster_agent.stacks.kubernetes.build_pod import (
    BuildPod,
    choose_node,
    make_pod,
    make_secret,
    secret_of,
)
from binder_federation.cluster_agent.stacks.repo2docker.order import (
    OrderedSource,
    order_json,
    read_order,
)
from binder_federation.config.isolation import IsolationSettings
from binder_federation.config.stacks.kubernetes import BuildPodSettings
from tests.unit.agent.kubernetes.build_objects import KEY, TOKEN, make_build, make_order

PASSWORD = '{"auths": {"registry.example.org": {"auth": "c2VjcmV0"}}}'


def make_manifest(**settings: Any) -> dict[str, Any]:
    """A pod with these settings of builds."""
    return make_pod(make_build(), BuildPodSettings(**settings), IsolationSettings())


def test_the_name_is_the_images() -> None:
    elsewhere = OrderedSource(url="https://elsewhere.example")
    assert make_build().name == make_build(source=elsewhere).name
    assert make_build().name.startswith(f"build-s-requirements-{KEY}-")
    assert make_build().name != make_build(member="beta").name
    assert make_build().name != make_build(reference="registry.example.org/other:x").name


@given(repository=st.text(max_size=300), provider=st.sampled_from(["gh", "git"]))
def test_every_name_is_a_dns_label(repository: str, provider: str) -> None:
    order = make_order(repository=affinity_key(provider, repository))
    name = BuildPod(key=KEY, order=order, member="alpha", nonce="x").name
    assert len(name) <= 63
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name)


def test_nothing_secret_is_in_the_pod() -> None:
    shown = json.dumps(make_manifest())
    assert TOKEN not in shown
    assert "auth" not in shown.lower().replace("author", "")


def test_the_secret_belongs_to_the_very_pod() -> None:
    manifest = make_manifest()
    manifest["metadata"]["uid"] = "the-uid"
    secret = make_secret(manifest, order_json(make_order()), PASSWORD)
    assert secret["metadata"]["name"] == secret_of(manifest)
    [owner] = secret["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("Pod", "the-uid")
    assert set(secret["stringData"]) == {"order.json", "config.json"}
    assert TOKEN in secret["stringData"]["order.json"]


def test_the_order_is_read_as_it_was_written(tmp_path: Any) -> None:
    manifest = make_manifest()
    manifest["metadata"]["uid"] = "1"
    path = tmp_path / "order.json"
    secret = make_secret(manifest, order_json(make_order()), PASSWORD)
    path.write_text(secret["stringData"]["order.json"])
    assert read_order(path) == make_order()


def test_it_is_kept_from_everything_else() -> None:
    spec = make_manifest()["spec"]
    [container] = spec["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    security = container["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["readOnlyRootFilesystem"] is True
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] == 65532
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}


def test_servers_with_a_token_leave_builds_without() -> None:
    isolation = IsolationSettings(service_account_token=True)
    spec = make_pod(make_build(), BuildPodSettings(), isolation)["spec"]
    assert spec["automountServiceAccountToken"] is False


def test_a_socket_is_mounted_from_the_host() -> None:
    spec = make_manifest(engine_socket="/run/podman.sock", engine_groups=[113])["spec"]
    assert {"path": "/run/podman.sock", "type": "Socket"} in [
        volume.get("hostPath") for volume in spec["volumes"]
    ]
    assert spec["securityContext"]["supplementalGroups"] == [113]
    assert environment_of(spec)["DOCKER_HOST"].startswith("unix://")


def test_a_buildkit_needs_nothing_of_the_host() -> None:
    spec = make_manifest(buildkit_address="tcp://buildkitd:1234")["spec"]
    assert not [volume for volume in spec["volumes"] if "hostPath" in volume]
    assert "DOCKER_HOST" not in environment_of(spec)


def test_the_builders_image_may_be_private() -> None:
    spec = make_manifest(image_pull_secrets=["pull"])["spec"]
    assert spec["imagePullSecrets"] == [{"name": "pull"}]


def test_an_operators_push_secret_is_used_as_it_is() -> None:
    spec = make_manifest(push_secret="push")["spec"]
    [volume] = [each for each in spec["volumes"] if each["name"] == "docker-config"]
    assert volume["secret"]["secretName"] == "push"
    [item] = volume["secret"]["items"]
    assert (item["key"], item["path"]) == (".dockerconfigjson", "config.json")


@pytest.mark.parametrize(("push", "seconds"), [("engine", 1800 + 900 + 120), ("no", 1800 + 120)])
def test_the_cluster_ends_it_after_its_own_deadlines(push: str, seconds: int) -> None:
    build = make_build(push=push)
    spec = make_pod(build, BuildPodSettings(), IsolationSettings())["spec"]
    assert spec["activeDeadlineSeconds"] == seconds


def test_it_prefers_its_node_and_takes_another() -> None:
    build = BuildPod(key=KEY, order=make_order(), member="alpha", nonce="x", node="one")
    spec = make_pod(build, BuildPodSettings(), IsolationSettings())["spec"]
    [preference] = spec["affinity"]["nodeAffinity"][
        "preferredDuringSchedulingIgnoredDuringExecution"
    ]
    assert preference["preference"]["matchExpressions"][0]["values"] == ["one"]
    assert "affinity" not in make_manifest()["spec"]


def test_builds_are_found_by_image_and_repository() -> None:
    labels = make_manifest()["metadata"]["labels"]
    assert labels["app.kubernetes.io/component"] == "build"
    assert labels["binder-federation.org/member"] == "alpha"
    assert labels["binder-federation.org/image-key"] == KEY
    other = BuildPod(key=ImageKey("f" * 32), order=make_order(), member="alpha", nonce="x")
    assert labels["binder-federation.org/repository-hash"] in other.labels.values()


def make_node(name: str, **changes: Any) -> dict[str, Any]:
    """A node that takes pods."""
    conditions = {"Ready": "True", **changes.pop("conditions", {})}
    return {
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/hostname": name, **changes.pop("labels", {})},
        },
        "spec": changes,
        "status": {"conditions": [{"type": k, "status": v} for k, v in conditions.items()]},
    }


def test_a_node_that_leaves_moves_only_its_own_repositories() -> None:
    nodes = [make_node(f"node-{number}") for number in range(5)]
    repositories = [f"gh/owner/name-{number}" for number in range(200)]
    before = {each: choose_node(nodes, each, {}) for each in repositories}
    after = {each: choose_node(nodes[1:], each, {}) for each in repositories}
    moved = {each for each in repositories if before[each] != after[each]}
    assert moved == {each for each in repositories if before[each] == "node-0"}
    assert len(set(before.values())) == 5, "the nodes do not share the work"


@pytest.mark.parametrize(
    "node",
    [
        make_node("x", conditions={"Ready": "False"}),
        make_node("x", conditions={"DiskPressure": "True"}),
        make_node("x", unschedulable=True),
        make_node("x", labels={"pool": "servers"}),
    ],
)
def test_a_node_that_takes_no_builds_is_not_preferred(node: dict[str, Any]) -> None:
    assert choose_node([node], "gh/owner/name", {"pool": "builds"}) == ""


def environment_of(spec: dict[str, Any]) -> dict[str, str]:
    """The container's environment."""
    return {each["name"]: each["value"] for each in spec["containers"][0]["env"]}
