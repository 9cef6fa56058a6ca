"""A build's pod, and the Secret that it is told its order by. Pure: manifests, no requests.

The pod is made first and names the Secret; the Secret is made for that very pod and owned
by it, so it can never outlive it, and the agent needs no right but to create Secrets. Until
it is there the pod waits. Nothing secret stands in the pod itself: its arguments are paths.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from binder_federation.binder.spec import ImageKey
from binder_federation.cluster_agent.core.names import repository_slug
from binder_federation.cluster_agent.stacks.kubernetes.isolation import (
    container_security,
    pod_fields,
    pod_security,
)
from binder_federation.cluster_agent.stacks.kubernetes.labels import Component, labels_of
from binder_federation.cluster_agent.stacks.kubernetes.pods import Json, name_of, uid_of
from binder_federation.cluster_agent.stacks.repo2docker.order import BuildOrder
from binder_federation.config.isolation import IsolationSettings
from binder_federation.config.stacks.kubernetes import BuildPodSettings

KEY_LABEL = "binder-federation.org/image-key"
REPOSITORY_LABEL = "binder-federation.org/repository-hash"
REPOSITORY_ANNOTATION = "binder-federation.org/repository"
HOSTNAME = "kubernetes.io/hostname"
REF_ANNOTATION = "binder-federation.org/ref"

ORDER_FILE = "order.json"
DOCKER_CONFIG_FILE = "config.json"
CONTAINER = "build"

_RUNNER = "binder_federation.cluster_agent.stacks.repo2docker.runner"
_ORDER_FOLDER = "/run/binderfed/order"
_DOCKER_CONFIG_FOLDER = "/run/binderfed/docker"
_SOCKET = "/run/binderfed/engine.sock"
_LAST_LINE_FILE = "/dev/termination-log"
_SCRATCH = "/tmp"  # noqa: S108 - a volume of the pod's own
_MAX_SLUG = 14
_GRACE_SECONDS = 20
_SPARE_SECONDS = 120.0
"""The process in the pod keeps the deadlines of the order; the cluster ends it when that fails."""


@dataclass(frozen=True, slots=True)
class BuildPod:
    """What decides a build's pod."""

    key: ImageKey
    order: BuildOrder
    member: str
    nonce: str
    """Makes the Secret's name new each time: one of an earlier pod may still be there."""
    node: str = ""
    """The host name of the node to prefer; empty: any."""

    @property
    def name(self) -> str:
        """`build-<slug>-<key>-<hash>`, at most 60 characters: a DNS label.

        The hash tells members apart that share a namespace. Agents of one member make the
        same name, so they share one build.
        """
        slug = repository_slug(self.order.repository.partition("/")[2], _MAX_SLUG)
        told_apart = _hash(f"{self.member} {self.order.reference}", 6)
        return f"build-{slug}-{self.key}-{told_apart}"

    @property
    def labels(self) -> dict[str, str]:
        """What the pod is found by."""
        return {
            **labels_of(self.member, Component.BUILD),
            KEY_LABEL: self.key,
            REPOSITORY_LABEL: _hash(self.order.repository, 16),
        }


def make_pod(
    build: BuildPod, settings: BuildPodSettings, isolation: IsolationSettings
) -> dict[str, Any]:
    """The pod's manifest."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": build.name,
            "labels": build.labels,
            "annotations": {
                REPOSITORY_ANNOTATION: build.order.repository,
                REF_ANNOTATION: build.order.resolved_ref,
                "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
            },
        },
        "spec": {
            **pod_fields(isolation),
            "automountServiceAccountToken": False,  # whatever servers may
            "restartPolicy": "Never",
            "activeDeadlineSeconds": _deadline_seconds(build.order),
            "terminationGracePeriodSeconds": _GRACE_SECONDS,
            "nodeSelector": settings.node_selector,
            "tolerations": settings.tolerations,
            "imagePullSecrets": [{"name": name} for name in settings.image_pull_secrets],
            **_affinity(build.node),
            "securityContext": {
                **pod_security(isolation),
                **_identity(settings),
                "fsGroup": settings.run_as_user,
                "supplementalGroups": settings.engine_groups,
            },
            "containers": [_container(settings, isolation)],
            "volumes": _volumes(build, settings),
        },
    }


def make_secret(pod: Json, order_json: str, docker_config: str) -> Json:
    """The Secret of that very pod: the order, and the registry's credentials.

    `pod` is as the cluster has it: a pod that was there already names its Secret itself.
    """
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": secret_of(pod),
            "labels": pod["metadata"].get("labels") or {},
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Pod", "name": name_of(pod), "uid": uid_of(pod)}
            ],
        },
        "type": "Opaque",
        "stringData": {ORDER_FILE: order_json, DOCKER_CONFIG_FILE: docker_config},
    }


def secret_of(pod: Json) -> str:
    """The name of the Secret that the pod waits for."""
    for volume in pod["spec"]["volumes"]:
        if volume["name"] == "order":
            return str(volume["secret"]["secretName"])
    raise ValueError("a build's pod has a volume `order`")


def choose_node(nodes: list[Json], repository: str, selector: Mapping[str, str]) -> str:
    """The host name of the node that builds of `repository` prefer; empty without any.

    Rendezvous: each node's rank for the repository is a hash of both, so all agents agree
    without telling each other, and a node that comes or goes moves only its own repositories.
    (Affinity to pods of earlier builds would forget: ended pods do not count.)
    """
    names = [node["metadata"]["labels"][HOSTNAME] for node in nodes if _takes_pods(node, selector)]
    return max(names, key=lambda name: _hash(f"{repository} {name}", 16), default="")


def _takes_pods(node: Json, selector: Mapping[str, str]) -> bool:
    labels = node["metadata"].get("labels") or {}
    conditions = {each["type"]: each["status"] for each in node["status"].get("conditions") or []}
    return (
        HOSTNAME in labels
        and conditions.get("Ready") == "True"
        and conditions.get("DiskPressure") != "True"
        and not node["spec"].get("unschedulable")
        and all(labels.get(name) == value for name, value in selector.items())
    )


def _container(settings: BuildPodSettings, isolation: IsolationSettings) -> dict[str, Any]:
    mounts = [
        {"name": "order", "mountPath": _ORDER_FOLDER, "readOnly": True},
        {"name": "docker-config", "mountPath": _DOCKER_CONFIG_FOLDER, "readOnly": True},
        {"name": "scratch", "mountPath": _SCRATCH},
    ]
    environment = {
        "DOCKER_CONFIG": _DOCKER_CONFIG_FOLDER,
        "BUILDX_CONFIG": f"{_SCRATCH}/buildx",
        "HOME": _SCRATCH,
        "TMPDIR": _SCRATCH,
        "PYTHONUNBUFFERED": "1",
    }
    if not settings.buildkit_address:
        mounts.append({"name": "engine", "mountPath": _SOCKET})
        environment["DOCKER_HOST"] = f"unix://{_SOCKET}"
    return {
        "name": CONTAINER,
        "image": settings.image,
        "imagePullPolicy": settings.image_pull_policy,
        "args": [
            *("python", "-m", _RUNNER),
            *("--last-line", _LAST_LINE_FILE),
            f"{_ORDER_FOLDER}/{ORDER_FILE}",
        ],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "resources": _resources(settings),
        "securityContext": {
            **container_security(isolation, is_root_read_only=True),
            **_identity(settings),
        },
        "volumeMounts": mounts,
        "terminationMessagePath": _LAST_LINE_FILE,
        "terminationMessagePolicy": "File",
    }


def _identity(settings: BuildPodSettings) -> dict[str, int]:
    return {"runAsUser": settings.run_as_user, "runAsGroup": settings.run_as_user}


def _resources(settings: BuildPodSettings) -> dict[str, dict[str, str]]:
    requests = {"cpu": settings.cpu_request, "memory": settings.memory_request}
    limits = {
        "cpu": settings.cpu_limit,
        "memory": settings.memory_limit,
        "ephemeral-storage": settings.scratch_limit,
    }
    # Without this, the limit of the disk would be asked for as a request too.
    requests["ephemeral-storage"] = "0" if settings.scratch_limit else ""
    return {"requests": _set(requests), "limits": _set(limits)}


def _volumes(build: BuildPod, settings: BuildPodSettings) -> list[dict[str, Any]]:
    secret = f"{build.name}-{build.nonce}"
    volumes: list[dict[str, Any]] = [
        _secret_volume("order", secret, ORDER_FILE),
        _secret_volume("docker-config", secret, DOCKER_CONFIG_FILE),
        {"name": "scratch", "emptyDir": _set({"sizeLimit": settings.scratch_limit})},
    ]
    if settings.push_secret:
        volumes[1] = _secret_volume(
            "docker-config", settings.push_secret, DOCKER_CONFIG_FILE, key=".dockerconfigjson"
        )
    if not settings.buildkit_address:
        host_path = {"path": settings.engine_socket, "type": "Socket"}
        volumes.append({"name": "engine", "hostPath": host_path})
    return volumes


def _secret_volume(name: str, secret: str, path: str, *, key: str = "") -> dict[str, Any]:
    items = [{"key": key or path, "path": path, "mode": 0o440}]
    return {"name": name, "secret": {"secretName": secret, "items": items}}


def _affinity(node: str) -> dict[str, Any]:
    if not node:
        return {}
    wanted = {"key": HOSTNAME, "operator": "In", "values": [node]}
    preference = {"weight": 100, "preference": {"matchExpressions": [wanted]}}
    return {
        "affinity": {
            "nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [preference]}
        }
    }


def _deadline_seconds(order: BuildOrder) -> int:
    push = 0.0 if order.push == "no" else order.push_timeout_seconds
    return math.ceil(order.timeout_seconds + push + _SPARE_SECONDS)


def _set(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _hash(text: str, length: int) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()[:length]
