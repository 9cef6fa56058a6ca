"""The chart in a real cluster: what the API takes, what the agent may do, whether it is well."""

import asyncio
import json
import secrets
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.eventually import eventually
from tests.support.helm import render, run_helm, with_values
from tests.support.helm_member import HelmMember, helm_member
from tests.support.kubectl import kubectl, objects
from tests.support.project_image import project_image

EXTERNAL = {
    "config.kubernetes.hub": {
        "mode": "external",
        "public_url": "https://hub.uni-a.example",
        "api_url": "http://hub:8081/hub/api",
    },
    "secrets.hubApiToken": "the-hub-token",
    "replicas": 2,
}
REGISTRY = {"config.registry.repository": "registry.example.org/binder/images"}
PUBLIC = {
    "ingress": {
        "enabled": True,
        "annotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "64m"},
        "api": {"host": "agent.uni-a.example", "tlsSecret": "api-tls"},
        "proxy": {"host": "hub.uni-a.example", "tlsSecret": "hub-tls"},
    },
    "services.api.type": "LoadBalancer",
    "services.api.loadBalancerSourceRanges": ["192.0.2.0/24"],
}
EVERYTHING_ELSE = {
    **REGISTRY,
    "builder": {"kind": "dind", "nodeSelector": {"pool": "build"}},
    "image.pullSecrets": ["pull"],
    "persistence.enabled": True,
    "rbac.allPods": True,
    "priorityClassName": "system-cluster-critical",
    "podLabels": {"team": "binder"},
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
    "extraVolumes": [{"name": "more", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
    "networkPolicies.servers.ports": [80, 443],
    "networkPolicies.agent.apiFrom": [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
    "networkPolicies.builds.extraEgress": [{"to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}]}],
}


@pytest.fixture(scope="module")
def server_version(kubeconfig: str) -> str:
    """`1.20.2`, as the cluster says it."""
    command = ["kubectl", "get", "--raw", "/version"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return told.partition('"gitVersion": "v')[2].partition('"')[0]


@pytest.mark.parametrize(
    "changes",
    [{}, EXTERNAL, PUBLIC, EVERYTHING_ELSE, {**REGISTRY, "builder.kind": "podman"}],
    ids=["managed", "external hub", "public", "everything else", "podman"],
)
async def test_the_cluster_takes_every_object(changes: dict[str, Any], server_version: str) -> None:
    rendered = render(with_values(changes), kube_version=server_version)

    told = await kubectl(
        "apply", "--dry-run=server", "--validate=true", "--namespace=default", "--filename=-",
        stdin=rendered.text.replace("namespace: binder\n", "namespace: default\n"),
    )  # fmt: skip

    assert told.count("dry run") == len(rendered.objects)


@pytest.fixture(scope="module")
def image(docker_engine: str) -> str:
    return project_image()


MAY = ("create pods", "delete pods", "watch pods", "get pods/log", "create secrets")
MAY_NOT = (
    "get secrets",
    "list secrets",
    "delete secrets",
    "create pods/exec",
    "patch pods",
    "create deployments.apps",
    "get configmaps",
    "create services",
    "create serviceaccounts/token",
    "create persistentvolumeclaims",
    "delete resourcequotas",
    "create rolebindings.rbac.authorization.k8s.io",
)


async def test_a_member_is_well_may_do_what_it_needs_and_leaves_nothing(
    kubeconfig: str, registry: str, image: str, tmp_path: Path
) -> None:
    name = f"chart-{secrets.token_hex(2)}"
    async with helm_member(
        name,
        image=image,
        federation_url="http://127.0.0.1:9",
        registry=registry,
        registry_url=f"http://{registry}",
        trusted="http://127.0.0.1:9/",
        values_folder=tmp_path,
        values={"config": {"registry": {"repository": "", "allow_delete": False}}},
    ) as member:
        await check_that_it_is_well(member)
        await check_what_it_may_do(member)

    mark = f"binder-federation.org/member={name}"
    for kind in ("clusterroles", "clusterrolebindings"):
        assert await objects("default", kind, mark) == [], f"{kind} stay in the cluster"


async def check_that_it_is_well(member: HelmMember) -> None:
    async with httpx.AsyncClient(timeout=20) as client:
        health = await client.get(f"{member.api_url}/health")
        assert health.status_code == 200, health.text

        async def is_reached() -> bool:  # a Service's port opens a moment after its pod is ready
            try:
                hub = await client.get(f"{member.hub_url}/hub/api/health", timeout=3)
            except httpx.TransportError:
                return False
            return hub.status_code == 200

        await eventually(is_reached, what="browsers to reach the hub's proxy through its Service")
    await asyncio.to_thread(
        run_helm, "test", member.name, f"--namespace={member.namespace}", seconds=180
    )
    (pod,) = await member.pods("agent")
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0


async def check_what_it_may_do(member: HelmMember) -> None:
    (pod,) = await member.pods("agent")
    account, own = pod["spec"]["serviceAccountName"], member.namespace
    elsewhere = ("list pods", "create pods", "get pods/log", "list events")

    async def allowed(namespace: str, *deeds: str) -> list[str]:
        user = f"system:serviceaccount:{own}:{account}"
        return [deed for deed in deeds if await may(user, namespace, deed)]

    assert await allowed(own, *MAY) == list(MAY)
    assert await allowed(own, *MAY_NOT) == []
    assert await allowed("default", *elsewhere) == []
    assert await allowed("", "list nodes", "patch nodes", "list pods") == ["list nodes"]


async def may(user: str, namespace: str, deed: str) -> bool:
    """Whether the cluster would let this service account do `verb resource[/part][.group]`."""
    verb, _, resource = deed.partition(" ")
    plain, _, group = resource.partition(".")
    kind, _, part = plain.partition("/")
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": user,
            "groups": ["system:serviceaccounts", "system:authenticated"],
            "resourceAttributes": {
                "namespace": namespace,
                "verb": verb,
                "resource": kind,
                "subresource": part,
                "group": group,
            },
        },
    }
    told = await kubectl("create", "--filename=-", "--output=json", stdin=json.dumps(review))
    return bool(json.loads(told)["status"]["allowed"])
