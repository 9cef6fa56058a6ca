"""How what one agent made on an engine is told from what others did.

Several members may share an engine, and one name may be used twice (two people try the
project out on one machine): so containers carry the agent's state folder too.
"""

from collections.abc import Mapping

from binder_federation.cluster_agent.stacks.repo2docker.ordering import MEMBER_LABEL

OWNER_LABEL = "org.binder-federation.owner"
"""The state folder of the agent that made it."""
COMPONENT_LABEL = "org.binder-federation.component"
USER_LABEL = "org.binder-federation.user"
SESSION = "session"
NETWORK = "network"


def session_labels(member: str, owner: str) -> dict[str, str]:
    """Of a container that is a session; the user's label is added by the spawner."""
    return {MEMBER_LABEL: member, OWNER_LABEL: owner, COMPONENT_LABEL: SESSION}


def label_filters(labels: Mapping[str, str]) -> dict[str, list[str]]:
    """What has all of `labels`, as the engine's API asks for it."""
    return {"label": [f"{name}={value}" for name, value in labels.items()]}
