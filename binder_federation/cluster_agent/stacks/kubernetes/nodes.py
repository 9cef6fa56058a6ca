"""Reads the cluster's nodes: which may take servers, which images they have, what they carry.

Pure, but for `NodeReader`, which asks the cluster now and then. Nodes need a right of the
whole cluster; without it everything here is unknown, which is no trouble.
https://kubernetes.io/docs/reference/node/node-status/
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from binder_federation.cluster_agent.stacks.kubernetes.client import KubernetesApi
from binder_federation.cluster_agent.stacks.kubernetes.errors import ClusterError, NotAllowed
from binder_federation.config.stacks.kubernetes import (
    BuildPodSettings,
    KubernetesStackSettings,
    UserPodSettings,
)

log = structlog.get_logger(__name__)

Json = dict[str, Any]

READ_EVERY_SECONDS = 5.0
_READ_SECONDS = 5.0
_FULL_LIST = 50
"""A kubelet tells of at most so many images by default (nodeStatusMaxImages)."""


@dataclass(frozen=True, slots=True)
class Node:
    """One machine of the cluster."""

    name: str
    is_ready: bool
    is_cordoned: bool
    has_disk_pressure: bool
    has_memory_pressure: bool
    labels: Mapping[str, str]
    taints: Sequence[Json]
    images: frozenset[str]
    """References of the images it has; the largest ones, if there are many."""
    allocatable: Mapping[str, str]

    @property
    def takes_pods(self) -> bool:
        """Whether servers and builds may start there now."""
        is_pressed = self.has_disk_pressure or self.has_memory_pressure
        return self.is_ready and not self.is_cordoned and not is_pressed

    def has_image(self, reference: str) -> bool | None:
        """None when it tells of some images only, and not of this one."""
        if reference in self.images:
            return True
        return None if len(self.images) >= _FULL_LIST else False

    def fits(self, selector: Mapping[str, str], tolerations: Sequence[Json]) -> bool:
        """Whether pods with that node selector and those tolerations may be there."""
        has_labels = all(self.labels.get(name) == value for name, value in selector.items())
        repels = [taint for taint in self.taints if taint.get("effect") != "PreferNoSchedule"]
        return has_labels and all(
            any(_tolerates(one, taint) for one in tolerations) for taint in repels
        )


def read_node(node: Json) -> Node:
    """The node in the API's object."""
    status, spec = node.get("status", {}), node.get("spec", {})
    states = {one["type"]: one["status"] == "True" for one in status.get("conditions") or []}
    names = (name for image in status.get("images") or [] for name in image.get("names") or [])
    return Node(
        name=node["metadata"]["name"],
        is_ready=states.get("Ready", False),
        is_cordoned=bool(spec.get("unschedulable")),
        has_disk_pressure=states.get("DiskPressure", False),
        has_memory_pressure=states.get("MemoryPressure", False),
        labels=node["metadata"].get("labels") or {},
        # Kubernetes marks the states above with taints of its own, too.
        taints=[one for one in spec.get("taints") or [] if not _is_state(one)],
        images=frozenset(name for name in names if "@" not in name),
        allocatable=status.get("allocatable") or {},
    )


def _is_state(taint: Json) -> bool:
    return str(taint.get("key", "")).startswith("node.kubernetes.io/")


def _tolerates(toleration: Json, taint: Json) -> bool:
    """https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/"""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return not toleration.get("key") or toleration["key"] == taint.get("key")
    return toleration.get("key") == taint.get("key") and toleration.get("value", "") == taint.get(
        "value", ""
    )


class NodeReader:
    """The nodes that servers, or builds, may be on: at most a few seconds old."""

    def __init__(
        self, *, api: KubernetesApi, settings: KubernetesStackSettings, clock: Callable[[], float]
    ) -> None:
        """`clock` gives seconds that only grow."""
        self._api = api
        self._settings = settings
        self._clock = clock
        self._is_allowed = settings.may_read_nodes
        self._nodes: Sequence[Node] | None = None
        self._read_at = -READ_EVERY_SECONDS
        self._lock = asyncio.Lock()

    async def nodes(self) -> Sequence[Node] | None:
        """Those for servers; None when nodes cannot, or may not, be read."""
        return self._fitting(await self._all(), self._settings.user)

    async def build_nodes(self) -> Sequence[Node] | None:
        """Those for builds, likewise."""
        return self._fitting(await self._all(), self._settings.build)

    def _fitting(
        self, nodes: Sequence[Node] | None, pods: UserPodSettings | BuildPodSettings
    ) -> Sequence[Node] | None:
        if nodes is None:
            return None
        return [node for node in nodes if node.fits(pods.node_selector, pods.tolerations)]

    async def _all(self) -> Sequence[Node] | None:
        async with self._lock:
            if self._is_allowed and self._clock() - self._read_at >= READ_EVERY_SECONDS:
                self._nodes = await self._read()
                self._read_at = self._clock()
        return self._nodes

    async def _read(self) -> Sequence[Node] | None:
        deadline = asyncio.get_running_loop().time() + _READ_SECONDS
        try:
            return [read_node(node) for node in await self._api.list_nodes(deadline=deadline)]
        except NotAllowed:
            log.warning("nodes_not_readable", setting="kubernetes.may_read_nodes")
            self._is_allowed = False
        except ClusterError as error:
            log.warning("nodes_unknown", reason=error.message)
        return None
