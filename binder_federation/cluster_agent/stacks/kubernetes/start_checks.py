"""What must hold before the stack starts: settings that go together, rights in the cluster.

Better a sentence at the start than a launch that fails for each visitor.
"""

from collections.abc import Sequence

import structlog

from binder_federation.cluster_agent.stacks.base import StackNotReady
from binder_federation.cluster_agent.stacks.kubernetes.client import KubernetesApi
from binder_federation.cluster_agent.stacks.kubernetes.errors import ClusterError
from binder_federation.config.isolation import IsolationSettings
from binder_federation.config.stacks.kubernetes import KubernetesStackSettings

log = structlog.get_logger(__name__)

NEEDED_RIGHTS = (
    ("create", "pods"),
    ("get", "pods"),
    ("list", "pods"),
    ("watch", "pods"),
    ("delete", "pods"),
    ("get", "pods/log"),
    ("create", "secrets"),
    ("list", "events"),
    ("list", "resourcequotas"),
)
HUB_RIGHTS = (("watch", "events"),)
"""Of a managed hub, beside those: it has the agent's own service account."""


def check_settings(settings: KubernetesStackSettings) -> None:
    """Raises `StackNotReady` when something is missing."""
    if settings.hub.public_url is None and settings.hub.host not in ("127.0.0.1", "localhost"):
        raise StackNotReady(
            "It is not set where browsers reach this member's servers.",
            advice="Set kubernetes.hub.public_url to the address of the hub's proxy: of its "
            "Ingress or its load balancer.",
        )


async def check_cluster(api: KubernetesApi, settings: KubernetesStackSettings) -> None:
    """Raises `StackNotReady` when the cluster is silent, or does not let us do enough."""
    rights = NEEDED_RIGHTS + (HUB_RIGHTS if settings.hub.mode == "managed" else ())
    try:
        missing = await api.missing_rights(rights)
        if not missing:
            await api.list_quotas()
    except ClusterError as error:
        raise StackNotReady(error.message, advice=error.advice) from error
    if missing:
        raise StackNotReady(
            f"In the namespace {api.namespace} the agent may not {_listed(missing)}.",
            advice="Give its service account the Role of the chart cluster-agent "
            "(docs/joining-kubernetes.md).",
        )


def warn_of_weakness(isolation: IsolationSettings) -> None:
    """Name each setting that is weaker than it need be."""
    for sentence in isolation.unsafe():
        if not sentence.startswith("most_processes"):  # each node's kubelet has that limit
            log.warning("isolation_weak", reason=sentence)


def _listed(words: Sequence[str]) -> str:
    """`a, b or c`."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last
