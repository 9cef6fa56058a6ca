"""How an agent becomes a member by an invitation, instead of a credential that was agreed on.

docs/joining.md is what an institution does; docs/joining-protocol.md is what is said.
"""

from pydantic import SecretStr

from binder_federation.config.federation import HttpUrl
from binder_federation.config.providers import Section


class JoinSettings(Section):
    """The invitation, and how the agent is reached."""

    url: HttpUrl | None = None
    """Of the federation that invited."""
    token: SecretStr | None = None
    """The invitation's. It is used once; what came of it is kept."""
    agent_url: HttpUrl | None = None
    """Where the federation reaches this agent; by default at its own host and port."""
    public_url: HttpUrl | None = None
    """Where visitors' browsers reach it, if that is another address (`launch.mode: redirect`)."""
    secret: str = ""
    """Kubernetes: the Secret in which the membership is kept; by default it is in a file of the
    state folder."""
