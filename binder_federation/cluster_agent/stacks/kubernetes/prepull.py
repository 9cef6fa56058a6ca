"""Puts an image on nodes before it is needed there: by short pods that use it.

What counts is the pull: a container whose command is missing in the image did its duty
all the same. The pods ask for next to nothing, never run for long, and are always
removed. Of the nodes that take pods, those go first that have not got the image.
"""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from binder_federation.cluster_agent.stacks.kubernetes.client import KubernetesApi
from binder_federation.cluster_agent.stacks.kubernetes.errors import ClusterError
from binder_federation.cluster_agent.stacks.kubernetes.isolation import (
    container_security,
    pod_fields,
    pod_security,
)
from binder_federation.cluster_agent.stacks.kubernetes.labels import Component, labels_of
from binder_federation.cluster_agent.stacks.kubernetes.nodes import Node
from binder_federation.cluster_agent.stacks.kubernetes.pods import (
    Json,
    has_ended,
    has_started,
    waiting_reason,
)
from binder_federation.cluster_agent.stacks.kubernetes.pulling import pull_policy
from binder_federation.config.agent import AgentSettings

log = structlog.get_logger(__name__)

PULL_SECONDS = 600.0
_REMOVE_SECONDS = 10.0
_PULLED = frozenset({"CreateContainerError", "RunContainerError", "CrashLoopBackOff"})
_RESOURCES = {"cpu": "10m", "memory": "32Mi"}


@dataclass(frozen=True, slots=True)
class PrepullPod:
    """One pod that pulls. `node` empty: the scheduler's choice."""

    member: str
    reference: str
    node: str
    name: str


class Prepuller:
    """Pulls one image onto some nodes."""

    def __init__(self, *, api: KubernetesApi, settings: AgentSettings) -> None:
        self._api = api
        self._settings = settings

    async def pull(self, reference: str, nodes: Sequence[Node] | None) -> str:
        """Have `reference` on `prepull_nodes` of the nodes, or on one that is chosen by the
        cluster when they are not known. Returns why no node got it, if so."""
        names = choose_nodes(nodes, reference, most=self._settings.kubernetes.prepull_nodes)
        if not names:
            return ""
        troubles = await asyncio.gather(*(self._pull_on(name, reference) for name in names))
        return troubles[0] if all(troubles) else ""

    async def _pull_on(self, node: str, reference: str) -> str:
        pod = PrepullPod(self._settings.name, reference, node, f"prepull-{secrets.token_hex(6)}")
        try:
            await self._api.create_pod(make_pod(pod, self._settings))
        except ClusterError as error:
            return error.message
        try:
            return await self._wait(pod)
        except ClusterError as error:
            return error.message
        finally:
            await self._remove(pod.name)

    async def _wait(self, pod: PrepullPod) -> str:
        deadline = asyncio.get_running_loop().time() + PULL_SECONDS
        async for seen in self._api.watch_pods(name=pod.name, deadline=deadline):
            now = seen.pods.get(pod.name)
            if now is None:
                return "The pod that pulls the image was deleted."
            if is_pulled(now):
                return ""
            if has_ended(now):
                return "A node of the member refused the pod that pulls the image."
            if waiting_reason(now) in ("ErrImagePull", "ImagePullBackOff", "InvalidImageName"):
                return "The image cannot be pulled onto the member's nodes."
        return f"The image was not on a node within {PULL_SECONDS:.0f} seconds."

    async def _remove(self, name: str) -> None:
        deadline = asyncio.get_running_loop().time() + _REMOVE_SECONDS
        try:
            await self._api.delete_pod(name, grace_seconds=0, deadline=deadline)
        except ClusterError as error:
            log.warning("prepull_pod_left", pod=name, reason=error.message)


def choose_nodes(nodes: Sequence[Node] | None, reference: str, *, most: int) -> list[str]:
    """Names of nodes that should pull: so many that `most` have the image then.

    An empty name leaves the choice to the scheduler.
    """
    if nodes is None:
        return [""]
    able = [node for node in nodes if node.takes_pods]
    missing = [node.name for node in able if node.has_image(reference) is not True]
    holders = len(able) - len(missing)
    return missing[: max(0, most - holders)]


def is_pulled(pod: Json) -> bool:
    """Whether the image is on the node, as the pod tells."""
    return has_started(pod) or waiting_reason(pod) in _PULLED


def make_pod(pod: PrepullPod, settings: AgentSettings) -> Json:
    """The manifest. It names its node: a scheduler would look for room that is not needed."""
    user, isolation = settings.kubernetes.user, settings.isolation
    spec: dict[str, Any] = {
        **pod_fields(isolation),
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "activeDeadlineSeconds": int(PULL_SECONDS) + 30,
        "securityContext": pod_security(isolation),
        "imagePullSecrets": [{"name": name} for name in user.image_pull_secrets],
        "nodeSelector": user.node_selector,
        "tolerations": user.tolerations,
        "containers": [
            {
                "name": "pull",
                "image": pod.reference,
                "imagePullPolicy": pull_policy(settings),
                "command": ["true"],
                "resources": {"requests": _RESOURCES, "limits": _RESOURCES},
                "securityContext": container_security(isolation, is_root_read_only=True),
            }
        ],
    }
    if pod.node:
        spec["nodeName"] = pod.node
    metadata = {"name": pod.name, "labels": labels_of(pod.member, Component.PREPULL)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
