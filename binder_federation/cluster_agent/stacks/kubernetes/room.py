"""What the cluster has left: its namespace's quotas, and its nodes. Pure.

How many more servers fit, each of the guaranteed size, is the least that any quota
allows, and no more than the nodes carry (unless nodes are added for pods that wait).
What the agent may not read does not count; a pod of ours that finds no node says the
rest.
https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from binder_federation.cluster_agent.stacks.base import Room
from binder_federation.cluster_agent.stacks.kubernetes.nodes import Node
from binder_federation.cluster_agent.stacks.kubernetes.pods import (
    has_ended,
    is_being_deleted,
    is_unschedulable,
)
from binder_federation.cluster_agent.stacks.kubernetes.quantities import (
    RESOURCES,
    read_quantities,
    read_quantity,
    total_requests,
)
from binder_federation.cluster_agent.stacks.kubernetes.reserved import with_guarantees
from binder_federation.config.resources import ResourceSettings

Json = dict[str, Any]

_OTHER_SCOPES = frozenset({"Terminating", "BestEffort"})
_BYTES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read of the cluster. None: it may not, or cannot, be read."""

    quotas: Sequence[Json]
    pods: Sequence[Json]
    """Of the namespace, or of all of them."""
    servers: Sequence[Json]
    """The pods of this member's servers."""
    nodes: Sequence[Node] | None
    """Where servers may be."""
    build_nodes: Sequence[Node] | None


def demand_of(resources: ResourceSettings, disk_request: str, disk_limit: str) -> dict[str, float]:
    """What one more server counts for in a quota, by the quota's own names."""
    kept = with_guarantees(resources)
    requests = {
        "cpu": kept.cpu_guarantee or 0.0,
        "memory": _bytes(kept.memory_guarantee),
        "ephemeral-storage": read_quantity(disk_request or 0),
    }
    limits = {
        "cpu": resources.cpu_limit or 0.0,
        "memory": _bytes(resources.memory_limit),
        "ephemeral-storage": read_quantity(disk_limit or 0),
    }
    return {
        "pods": 1.0,
        "count/pods": 1.0,
        **requests,
        **{f"requests.{name}": value for name, value in requests.items()},
        **{f"limits.{name}": value for name, value in limits.items()},
    }


def read_room(seen: Seen, demand: Mapping[str, float], *, is_autoscaled: bool) -> Room:
    """What is left of the cluster."""
    can_build, reason = _can_build(seen.build_nodes)
    fits = fits_in_quotas(seen.quotas, demand)
    if not is_autoscaled:
        on_nodes = fits_on_nodes(seen.nodes, seen.pods, demand)
        fits = min((one for one in (fits, on_nodes) if one is not None), default=None)
        if any(is_unschedulable(pod) and not is_being_deleted(pod) for pod in seen.servers):
            fits = 0
    if fits == 0 and not reason:
        reason = "The cluster has no room for another server."
    return Room(sessions=fits, can_build=can_build, reason=reason)


def fits_in_quotas(quotas: Iterable[Json], demand: Mapping[str, float]) -> int | None:
    """Servers that the namespace's quotas still allow; None when there is no quota for them."""
    least: list[int] = []
    for quota in quotas:
        if _is_for_others(quota):
            continue
        status = quota.get("status", {})
        hard, used = read_quantities(status.get("hard")), read_quantities(status.get("used"))
        least += [
            _times(limit - used.get(name, 0.0), demand[name])
            for name, limit in hard.items()
            if demand.get(name)
        ]
    return min(least, default=None)


def fits_on_nodes(
    nodes: Sequence[Node] | None, pods: Iterable[Json], demand: Mapping[str, float]
) -> int | None:
    """Servers that the nodes still carry; None when nodes may not be read."""
    if nodes is None:
        return None
    by_node: defaultdict[str, list[Json]] = defaultdict(list)
    for pod in pods:
        if not has_ended(pod):
            by_node[pod.get("spec", {}).get("nodeName", "")].append(pod)
    return sum(_fits_on(node, by_node[node.name], demand) for node in nodes if node.takes_pods)


def _fits_on(node: Node, pods: Sequence[Json], demand: Mapping[str, float]) -> int:
    has, taken = read_quantities(node.allocatable), total_requests(pods)
    return min(
        _times(has[name] - taken.get(name, 0.0), demand[name])
        for name in ("pods", *RESOURCES)
        if name in has and (demand[name] or name == "pods")
    )


def _can_build(nodes: Sequence[Node] | None) -> tuple[bool, str]:
    if nodes is None:
        return True, ""
    if nodes and all(node.has_disk_pressure for node in nodes):
        return False, "The disks of all nodes are nearly full."
    if not any(node.is_ready and not node.is_cordoned for node in nodes):
        return False, "No node takes builds now."
    return True, ""


def _is_for_others(quota: Json) -> bool:
    """Whether it counts pods of other kinds than servers: those with a deadline or without any
    guarantee, or of some priority, which is not ours to know."""
    spec = quota.get("spec", {})
    return bool(spec.get("scopeSelector")) or not _OTHER_SCOPES.isdisjoint(spec.get("scopes") or [])


def _times(left: float, each: float) -> int:
    return max(0, math.floor(left / each + 1e-9))


def _bytes(text: str) -> float:
    """`512M` as JupyterHub counts: in powers of 1024."""
    if not text:
        return 0.0
    return float(text[:-1]) * _BYTES[text[-1]] if text[-1] in _BYTES else float(text)
