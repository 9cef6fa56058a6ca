"""Finds the cluster: the one that the agent runs in, or a context of a kubeconfig file.

As `kubectl` does: KUBECONFIG, or a context that the settings name, comes first; then
the service account of the pod; then `~/.kube/config`.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from kubernetes_asyncio.client import ApiClient, Configuration
from kubernetes_asyncio.config import ConfigException, load_incluster_config, load_kube_config

from binder_federation.cluster_agent.stacks.base import StackNotReady

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """How one cluster is reached."""

    client: ApiClient
    namespace: str
    """The pod's own, or the context's."""


async def load_access(*, context: str = "") -> ClusterAccess:
    """Read the configuration. Raises `StackNotReady` when there is none, or a broken one."""
    configuration = Configuration()
    try:
        if _is_pod() and not context and not os.environ.get("KUBECONFIG"):
            load_incluster_config(  # type: ignore[no-untyped-call]
                client_configuration=configuration
            )
            namespace = (SERVICE_ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
        else:
            namespace = await _load_file(configuration, context)
    except (ConfigException, OSError) as error:
        raise StackNotReady(
            "No Kubernetes cluster is configured.",
            advice="Run the agent in the cluster with a service account, or set KUBECONFIG "
            f"(and kubernetes.context). It says: {error}",
        ) from error
    return ClusterAccess(ApiClient(configuration), namespace)


def _is_pod() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ and (SERVICE_ACCOUNT / "token").is_file()


async def _load_file(configuration: Configuration, context: str) -> str:
    """Load the kubeconfig file; returns the context's namespace."""
    loader = await load_kube_config(
        config_file=os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config"),
        context=context or None,
        client_configuration=configuration,
        persist_config=False,
    )
    current = loader.current_context or {"context": {}}
    return str(current["context"].get("namespace") or "default")
