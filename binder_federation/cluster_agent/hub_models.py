"""What the agent reads from JupyterHub's REST API, and nothing more of it.

https://jupyterhub.readthedocs.io/en/stable/reference/rest-api.html
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from binder_federation.cluster_agent.core.server_names import ServerName

HANDED_OUT_GROUP = "binder-handed-out"
"""The hub's group of users whose warm server was given to a visitor (warm/handouts.py)."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class HubServer(_Model):
    """A user's server: `ready`, or `pending` "spawn" or "stop", or neither."""

    ready: bool = False
    pending: str | None = None
    started: datetime | None = None
    last_activity: datetime | None = None
    user_options: dict[str, Any] = Field(default_factory=dict)

    @property
    def was_warm(self) -> bool:
        """It was started before its visitor came."""
        return self.user_options.get("warm") is True

    @property
    def is_active(self) -> bool:
        """It runs, starts or stops: it uses the machine."""
        return self.ready or self.pending is not None

    def option(self, name: str) -> str:
        """One of the options that it was started with; empty when it has none."""
        value = self.user_options.get(name)
        return value if isinstance(value, str) else ""


class HubUser(_Model):
    """A user of the hub: a temporary one with the default server, or one who is logged in."""

    name: str
    created: datetime | None = None
    groups: tuple[str, ...] = ()
    servers: Annotated[dict[str, HubServer], Field(default_factory=dict)]

    @property
    def active_servers(self) -> Mapping[ServerName, HubServer]:
        """Those that use the machine."""
        return {
            ServerName(self.name, name): server
            for name, server in self.servers.items()
            if server.is_active
        }

    @property
    def is_waiting_warm(self) -> bool:
        """Whether its server was started warm, and the hub knows of nobody who was given it."""
        server = self.servers.get("")
        return server is not None and server.was_warm and HANDED_OUT_GROUP not in self.groups


class HubProgress(_Model):
    """One event of a server's start."""

    message: str = ""
    progress: float | None = None
    ready: bool = False
    failed: bool = False


class ServerStatus(_Model):
    """What a Jupyter server says at `/api/status`; anything else is not one."""

    started: datetime
    last_activity: datetime | None = None
    connections: int = 0
    kernels: int = 0
