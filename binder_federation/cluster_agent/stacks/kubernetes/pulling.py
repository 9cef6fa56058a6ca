"""When nodes may pull an image. Pure; for users' servers and for pods that pull ahead."""

from binder_federation.config.agent import AgentSettings


def pull_policy(settings: AgentSettings) -> str:
    """A container's `imagePullPolicy`: nothing is pulled where there is no registry of ours."""
    asked = settings.kubernetes.user.image_pull_policy
    if asked is not None:
        return asked
    return "IfNotPresent" if settings.registry.repository else "Never"
