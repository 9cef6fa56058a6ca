"""How the pods that run strangers' code are kept from each other and from the cluster.

Pure: from the settings to the parts of a pod's manifest, for users' servers and for
builds alike. What a visitor may reach over the network is decided by the chart's
NetworkPolicies, which select pods by the labels in `labels.py`.
https://kubernetes.io/docs/concepts/security/pod-security-standards/ (restricted)
"""

from typing import Any

from binder_federation.config.isolation import IsolationSettings


def pod_fields(isolation: IsolationSettings) -> dict[str, Any]:
    """Fields of the pod's `spec`."""
    fields: dict[str, Any] = {
        "automountServiceAccountToken": isolation.service_account_token,
        "enableServiceLinks": False,  # the cluster's Services are nobody's business
        "hostNetwork": False,
        "hostPID": False,
        "hostIPC": False,
    }
    if isolation.runtime:
        fields["runtimeClassName"] = isolation.runtime
    return fields


def pod_security(isolation: IsolationSettings) -> dict[str, Any]:
    """The pod's `securityContext`."""
    return {**_identity(isolation), "seccompProfile": {"type": isolation.seccomp}}


def container_security(
    isolation: IsolationSettings, *, is_root_read_only: bool | None = None
) -> dict[str, Any]:
    """A container's `securityContext`; `is_root_read_only` overrides the settings (builds)."""
    is_read_only = isolation.read_only_root if is_root_read_only is None else is_root_read_only
    security: dict[str, Any] = {
        **_identity(isolation),
        "privileged": False,
        "allowPrivilegeEscalation": isolation.allow_privilege_escalation,
        "readOnlyRootFilesystem": is_read_only,
        "seccompProfile": {"type": isolation.seccomp},
    }
    if isolation.drop_capabilities:
        security["capabilities"] = {"drop": ["ALL"]}
    return security


def _identity(isolation: IsolationSettings) -> dict[str, Any]:
    is_root = isolation.run_as_user == 0  # asked for, and named at the start
    identity: dict[str, Any] = {"runAsNonRoot": isolation.run_as_non_root and not is_root}
    if isolation.run_as_user is not None:
        identity["runAsUser"] = isolation.run_as_user
    return identity


def egress_limit(isolation: IsolationSettings, *, megabits: float, image: str) -> dict[str, Any]:
    """The init container that limits what a pod sends, for as long as its network lives.

    A token bucket (https://man7.org/linux/man-pages/man8/tc-tbf.8.html) of a tenth of a second,
    at least 128 KiB. What runs in the pod later has no capability to undo it.
    """
    burst_bytes = max(128 * 1024, int(megabits * 1e6 / 8 / 10))
    rate = f"{round(megabits * 1000)}kbit"
    return {
        "name": "egress-limit",
        "image": image,
        "command": ["tc", "qdisc", "replace", "dev", "eth0", "root"],
        "args": ["tbf", "rate", rate, "burst", str(burst_bytes), "latency", "400ms"],
        "securityContext": {
            "runAsUser": 0,
            "runAsNonRoot": False,
            "privileged": False,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]},
            "seccompProfile": {"type": isolation.seccomp},
        },
        "resources": {
            "requests": {"cpu": "10m", "memory": "16Mi"},
            "limits": {"cpu": "100m", "memory": "32Mi"},
        },
    }


def disk_limits(isolation: IsolationSettings) -> dict[str, str]:
    """A container's `resources.limits` of what it may write: the node evicts who writes more."""
    return {"ephemeral-storage": isolation.disk_limit} if isolation.disk_limit else {}


def disk_requests(isolation: IsolationSettings) -> dict[str, str]:
    """A container's `resources.requests` beside that limit. Without one Kubernetes takes the
    limit for the request, and a node would be full of disks that nobody fills."""
    return {"ephemeral-storage": "64Mi"} if isolation.disk_limit else {}
