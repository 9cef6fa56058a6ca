"""How users' servers and builds are kept from each other and from the cluster.

The defaults are the safe ones. What is set to something weaker is named in the agent's
log when it starts (`unsafe`).
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from binder_federation.config.providers import Section


class IsolationSettings(Section):
    """Of the containers that run strangers' code, or build it."""

    run_as_non_root: bool = True
    run_as_user: Annotated[int, Field(ge=0)] | None = 1000
    """1000 is the user that repo2docker makes. None: the image's own user; with `run_as_non_root`
    an image whose user is root, or is given as a name (as repo2docker's is), does not start."""
    allow_privilege_escalation: bool = False
    drop_capabilities: bool = True
    seccomp: Literal["RuntimeDefault", "Unconfined"] = "RuntimeDefault"
    service_account_token: bool = False
    """Whether the cluster's own API can be used from a user's server."""
    read_only_root: bool = False
    """Users write to their home folder, which is part of the image; builds always run so."""
    most_processes: Annotated[int, Field(ge=1)] | None = 1024
    """Docker alone; on Kubernetes the node's kubelet sets it (podPidsLimit)."""
    disk_limit: str = "10Gi"
    """What a server may write. On Docker it needs a storage driver that can limit it."""
    runtime: str = ""
    """A sandbox: the runtimeClassName on Kubernetes, the runtime on Docker (gVisor, Kata)."""
    network_policies: bool = True
    """Kubernetes: the internet and DNS, but not the cluster, its metadata or other users."""

    def unsafe(self) -> Sequence[str]:
        """The settings that weaken the isolation, each as a sentence for the log."""
        weak = {
            "run_as_non_root is false: servers may run as root.": not self.run_as_non_root,
            "run_as_user is 0: servers run as root.": self.run_as_user == 0,
            "allow_privilege_escalation is true: sudo and setuid programs work.": (
                self.allow_privilege_escalation
            ),
            "drop_capabilities is false: servers keep the kernel's capabilities.": (
                not self.drop_capabilities
            ),
            "seccomp is Unconfined: every system call is allowed.": self.seccomp == "Unconfined",
            "service_account_token is true: servers can use the cluster's API.": (
                self.service_account_token
            ),
            "most_processes is not set: one server can use up the machine's processes.": (
                self.most_processes is None
            ),
            "disk_limit is empty: one server can fill the disk.": not self.disk_limit,
            "network_policies is false: servers reach the cluster and each other.": (
                not self.network_policies
            ),
        }
        return [sentence for sentence, is_so in weak.items() if is_so]
