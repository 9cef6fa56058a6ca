"""Where this agent's membership is kept, by its settings."""

from binder_federation.cluster_agent.membership.stores.contract import MembershipStore
from binder_federation.cluster_agent.membership.stores.file import FileStore
from binder_federation.config.agent import AgentSettings


async def open_store(settings: AgentSettings) -> MembershipStore:
    """The Secret that the settings name, or else the file in the state folder."""
    if not settings.join.secret:
        return FileStore(state_dir=settings.state_dir)
    # Here and not above: without the extra `kubernetes` there is no client, and no need of one.
    from binder_federation.cluster_agent.membership.stores.secret import SecretStore
    from binder_federation.cluster_agent.stacks.kubernetes.client import KubernetesApi

    cluster = settings.kubernetes
    api = await KubernetesApi.open(namespace=cluster.namespace, context=cluster.context)
    return SecretStore(api=api, name=settings.join.secret)
