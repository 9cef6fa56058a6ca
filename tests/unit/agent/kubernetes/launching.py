"""Pods, nodes and quotas as a cluster's API gives them, as far as the tests need it."""

from typing import Any

Json = dict[str, Any]


def server_pod(
    name: str = "session-ada",
    *,
    user: str = "ada",
    phase: str = "Running",
    state: Json | None = None,
    made: str = "2026-01-01T00:00:00Z",
    deleted: str = "",
    **status: Any,
) -> Json:
    """A user's pod; `state` is its container's."""
    metadata: Json = {
        "name": name,
        "uid": f"uid-of-{name}",
        "creationTimestamp": made,
        "annotations": {"hub.jupyter.org/username": user},
    }
    if deleted:
        metadata["deletionTimestamp"] = deleted
    containers = [{"name": "notebook", "state": state}] if state is not None else []
    return {
        "metadata": metadata,
        "spec": {},
        "status": {"phase": phase, "containerStatuses": containers, **status},
    }


def waiting(reason: str, message: str = "") -> Json:
    """The state of a container that does not run yet."""
    return {"waiting": {"reason": reason, "message": message}}


def busy_pod(node: str, *, phase: str = "Running", **requests: str) -> Json:
    """Somebody's pod on a node."""
    container = {"name": "one", "resources": {"requests": requests}}
    return {
        "metadata": {"name": "x", "uid": "x"},
        "spec": {"nodeName": node, "containers": [container]},
        "status": {"phase": phase},
    }


def node(
    name: str = "n1",
    *,
    conditions: Json | None = None,
    images: list[str] | None = None,
    allocatable: Json | None = None,
    **spec: Any,
) -> Json:
    """A node that is ready, unless `conditions` says otherwise."""
    states = {"Ready": "True", **(conditions or {})}
    return {
        "metadata": {"name": name, "labels": {"pool": "users"}},
        "spec": spec,
        "status": {
            "conditions": [{"type": kind, "status": state} for kind, state in states.items()],
            "images": [{"names": [image]} for image in images or []],
            "allocatable": allocatable or {"cpu": "4", "memory": "8Gi", "pods": "110"},
        },
    }


def quota(hard: Json, used: Json, **spec: Any) -> Json:
    """A ResourceQuota."""
    return {"spec": spec, "status": {"hard": hard, "used": used}}
