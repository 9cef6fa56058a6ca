"""Asks a user's server how it is used. What answers is a stranger's code, so it is read as such.

The hub's client bounds an answer's size and time; here it becomes typed values. A server that
answers nothing, or nonsense, is left alone: its age still ends it, and the hub's own polling
notices the dead.

The addresses are Jupyter Server's: `/api/status`, `/api/kernels` and `/api/terminals`, and
`/server-proxy/servers-info` of jupyter-server-proxy. Asking for the status is no activity; the
others are asked with `no_track_activity`, which says so.
https://jupyter-server.readthedocs.io/en/latest/developers/rest-api.html
"""

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from binder_federation.cluster_agent.core.idleness import KernelUse, ServerUse
from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.hub_api import HubApi
from binder_federation.config.resources import Moment

MOST_OF_EACH = 200
"""Kernels, and terminals; a server that tells of more tells nothing."""

T = TypeVar("T")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Status(_Model):
    last_activity: Moment


class _Kernel(_Model):
    last_activity: Moment
    execution_state: Annotated[str, Field(max_length=40)] = ""
    connections: Annotated[int, Field(ge=0, le=100_000)] = 0


class _Terminal(_Model):
    last_activity: Moment


_STATUS = TypeAdapter(_Status)
_KERNELS = TypeAdapter(Annotated[list[_Kernel], Field(max_length=MOST_OF_EACH)])
_TERMINALS = TypeAdapter(Annotated[list[_Terminal], Field(max_length=MOST_OF_EACH)])


async def fetch_use(hub: HubApi, server: ServerName, token: str) -> ServerUse | None:
    """How the server is used; None when it does not tell."""

    async def read(path: str, adapter: TypeAdapter[T]) -> T | None:
        content = await hub.ask_server(server, token, path)
        return None if content is None else adapter.validate_json(content)

    try:
        status = await read("/api/status", _STATUS)
        kernels = await read("/api/kernels?no_track_activity=1", _KERNELS)
        if status is None or kernels is None:
            return None
        terminals = await read("/api/terminals?no_track_activity=1", _TERMINALS) or []
    except ValidationError:
        return None
    has_applications = False
    if not kernels and not terminals:  # then nothing else tells of applications' use
        has_applications = (
            await hub.ask_server(server, token, "/server-proxy/servers-info") is not None
        )
    return ServerUse(
        requests=status.last_activity.timestamp(),
        kernels=tuple(map(_kernel_use, kernels)),
        terminals=tuple(each.last_activity.timestamp() for each in terminals),
        has_applications=has_applications,
    )


def _kernel_use(kernel: _Kernel) -> KernelUse:
    return KernelUse(
        last_activity=kernel.last_activity.timestamp(),
        is_busy=kernel.execution_state == "busy",
        connections=kernel.connections,
    )
