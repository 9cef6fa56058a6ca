"""How what one agent made on an engine is told from what others did.

Several members may share an engine, and one name may be used twice (two people try the
project out on one machine): so containers carry the agent's state folder too.
"""

from collections.abc import Mapping

from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.stacks.repo2docker.ordering import MEMBER_LABEL

OWNER_LABEL = "org.binder-federation.owner"
"""The state folder of the agent that made it."""
COMPONENT_LABEL = "org.binder-federation.component"
_USER_LABEL = "org.binder-federation.user"
_SERVER_LABEL = "org.binder-federation.server"
"""The name of one of a user's several servers."""
SESSION = "session"
NETWORK = "network"


def session_labels(member: str, owner: str) -> dict[str, str]:
    """Of a container that is a session; the spawner adds `server_labels`."""
    return {MEMBER_LABEL: member, OWNER_LABEL: owner, COMPONENT_LABEL: SESSION}


def server_labels(server: ServerName) -> dict[str, str]:
    """Whose session it is."""
    named = {_SERVER_LABEL: server.name} if server.is_named else {}
    return {_USER_LABEL: server.user, **named}


def server_of(labels: Mapping[str, str]) -> ServerName:
    """Whose session a container with these labels is."""
    return ServerName(labels.get(_USER_LABEL, ""), labels.get(_SERVER_LABEL, ""))


def label_filters(labels: Mapping[str, str]) -> dict[str, list[str]]:
    """What has all of `labels`, as the engine's API asks for it."""
    return {"label": [f"{name}={value}" for name, value in labels.items()]}
