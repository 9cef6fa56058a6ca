"""How a server's container is kept from the machine and from other servers. Pure.

From the settings to arguments of docker-py's `create_host_config`, and to sentences for
the log on what this engine cannot do.
https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerCreate
"""

from collections.abc import Sequence
from typing import Any

from binder_federation.config.isolation import IsolationSettings
from binder_federation.config.resources import ResourceSettings

_LIMITING_DRIVERS = ("btrfs", "zfs", "devicemapper")
_SHARES_OF_ONE_CORE = 1024
_TEMPORARY = "/tmp"  # noqa: S108 - in the container
_PERIOD = 100_000


def host_config(isolation: IsolationSettings) -> dict[str, Any]:
    """What all servers have in common."""
    security = []
    if not isolation.allow_privilege_escalation:
        security.append("no-new-privileges:true")
    if isolation.seccomp == "Unconfined":
        security.append("seccomp=unconfined")
    config: dict[str, Any] = {
        "security_opt": security,
        "privileged": False,
        "init": True,
        "auto_remove": False,  # the spawner removes it, once it has read why it ended
        "ipc_mode": "private",
        "read_only": isolation.read_only_root,
        # What a server prints is kept for its operator, but does not fill the disk.
        "log_config": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}},
    }
    if isolation.drop_capabilities:
        config["cap_drop"] = ["ALL"]
    if isolation.most_processes is not None:
        config["pids_limit"] = isolation.most_processes
    if isolation.read_only_root:
        config["tmpfs"] = {_TEMPORARY: "size=256m,mode=1777"}
    if isolation.runtime:
        config["runtime"] = isolation.runtime
    return config


def resource_config(resources: ResourceSettings) -> dict[str, Any]:
    """What one server gets. Swap is not more memory."""
    config: dict[str, Any] = {}
    if resources.memory_limit:
        config["mem_limit"] = config["memswap_limit"] = bytes_of(resources.memory_limit)
    if resources.memory_guarantee:
        guarantee = bytes_of(resources.memory_guarantee)
        config["mem_reservation"] = min(guarantee, config.get("mem_limit", guarantee))
    if resources.cpu_limit is not None:
        config |= {"cpu_period": _PERIOD, "cpu_quota": int(resources.cpu_limit * _PERIOD)}
    if resources.cpu_guarantee is not None:
        config["cpu_shares"] = max(2, int(resources.cpu_guarantee * _SHARES_OF_ONE_CORE))
    return config


def disk_config(isolation: IsolationSettings) -> dict[str, Any]:
    """What one server may write, for engines that can limit it."""
    return {"storage_opt": {"size": isolation.disk_limit}} if isolation.disk_limit else {}


def may_limit_disk(*, storage_driver: str, backing_filesystem: str) -> bool:
    """Whether the engine may be able to; overlay2 on XFS needs the mount option `pquota` too."""
    if storage_driver == "overlay2":
        return backing_filesystem == "xfs"
    return storage_driver in _LIMITING_DRIVERS


def is_root(user: str) -> bool:
    """Whether an image's `User` is root."""
    return user.partition(":")[0] in ("", "0", "root")


def weaknesses(
    isolation: IsolationSettings,
    *,
    can_limit_disk: bool,
    firewall_missing: str,
    builds_unlimited: str = "",
    are_builds_blocked: bool = True,
) -> Sequence[str]:
    """What is not as safe as it could be, each a sentence. `firewall_missing` and
    `builds_unlimited`: why there is none, why they are not; empty when all is well."""
    found = [
        sentence
        for sentence in isolation.unsafe()
        if not sentence.startswith(("network_policies", "service_account_token"))
    ]
    if isolation.disk_limit and not can_limit_disk:
        found.append(
            "This engine's storage cannot limit what a server writes: the agent looks every "
            "minute and ends servers that wrote more than disk_limit."
        )
    if firewall_missing:
        found.append(
            "Servers reach this machine's own services and the cloud's metadata address: "
            f"{firewall_missing}"
        )
    if firewall_missing or not are_builds_blocked:
        found.append(
            "Builds reach the cloud's metadata address: set docker.firewall_builds, or keep the "
            "engine's default network from it."
        )
    if builds_unlimited:
        found.append(f"build.repo2docker.memory_limit has no effect: {builds_unlimited}")
    return found


def bytes_of(text: str) -> int:
    """`2G` → 2147483648, as JupyterHub and Docker count; also `2Gi`."""
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
    plain = text.removesuffix("i")
    if plain and plain[-1] in units:
        return int(float(plain[:-1]) * units[plain[-1]])
    return int(float(plain))
