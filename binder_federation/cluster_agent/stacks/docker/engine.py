"""The Docker engine's API, as much of it as the stack needs; errors are ours.

What only asks is tried again for a moment; what changes something is not. Every call has
a deadline: an engine under load answers late, one that is stuck never.
https://docs.docker.com/reference/api/engine/
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import aiodocker
import aiohttp
import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from binder_federation.cluster_agent.stacks.docker.errors import (
    EngineError,
    EngineUnavailable,
    InUse,
)

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

USUAL_SOCKET = "unix:///var/run/docker.sock"
NO_CONNECTION = 900
"""The status that aiodocker gives an engine it cannot connect to."""
_SECONDS = 15.0
_REMOVAL_SECONDS = 60.0
_TRIES = 3
_PAUSE_SECONDS = 0.3


def engine_address(engine_url: str, inherited: Mapping[str, str]) -> str:
    """`unix://…` or `tcp://…`: the setting, else DOCKER_HOST, else the usual socket."""
    return engine_url or inherited.get("DOCKER_HOST") or USUAL_SOCKET


@dataclass(frozen=True, slots=True)
class EngineImage:
    """One name of an image on the engine."""

    reference: str
    labels: Mapping[str, str]
    size_bytes: int
    """All of its layers."""
    own_bytes: int
    """What goes with it, as far as the engine tells: layers of its own."""
    created: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class EngineContainer:
    """One container, running or not."""

    id: str
    name: str
    labels: Mapping[str, str]
    is_running: bool
    created: float
    written_bytes: int = 0
    """What it has written to its own layer; 0 unless asked for."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What the engine says of itself and its machine."""

    version: str
    memory_bytes: int
    root_folder: str
    storage_driver: str
    backing_filesystem: str
    cgroup_driver: str = ""
    cgroup_version: str = ""


class Engine:
    """One engine. `address`: see `engine_address`."""

    def __init__(self, *, address: str) -> None:
        self.address = address
        self._docker: aiodocker.Docker | None = None

    @property
    def is_here(self) -> bool:
        """Whether it is reached by a socket: its files are on this machine, most likely."""
        return self.address.startswith("unix://")

    async def info(self) -> EngineInfo:
        """The engine's own words. Raises `EngineUnavailable`."""
        found = await self._ask(lambda docker: docker.system.info())
        status = {row[0]: row[1] for row in found.get("DriverStatus") or [] if len(row) == 2}
        return EngineInfo(
            version=str(found.get("ServerVersion", "")),
            memory_bytes=int(found.get("MemTotal") or 0),
            root_folder=str(found.get("DockerRootDir") or ""),
            storage_driver=str(found.get("Driver", "")),
            backing_filesystem=str(status.get("Backing Filesystem", "")),
            cgroup_driver=str(found.get("CgroupDriver", "")),
            cgroup_version=str(found.get("CgroupVersion", "")),
        )

    async def images(self, filters: Mapping[str, list[str]]) -> list[EngineImage]:
        """The images with a name, once for each name."""
        wanted = {"shared-size": "1"}
        found = await self._ask(lambda docker: docker.images.list(filters=filters, **wanted))
        return [
            _image(reference, image)
            for image in found
            for reference in image.get("RepoTags") or []
            if reference != "<none>:<none>"
        ]

    async def remove_image(self, reference: str) -> bool:
        """Remove the name, and the image with the last one; False when it was gone.

        Raises `InUse` when a container is made from it.
        """
        return await self._remove(lambda docker: docker.images.delete(reference))

    async def pull(self, reference: str, *, auth: Mapping[str, str] | None) -> None:
        """Pull it, as long as it takes: the deadline is the caller's. Raises `EngineError`."""
        async with self._translated() as docker:
            stream = docker.images.pull(reference, auth=dict(auth) if auth else None, stream=True)
            async for message in stream:
                if message.get("error"):
                    log.warning("image_not_pulled", image=reference, message=message["error"])
                    raise EngineError("The image could not be pulled.")

    async def prune_builds(self, *, older_than: str) -> int:
        """Remove what builds keep to be quicker next time, and have not used for so long
        (`24h`); returns the bytes."""
        async with asyncio.timeout(_REMOVAL_SECONDS), self._translated() as docker:
            found = await docker.images.prune_builds(
                all_builds=True, filters={"until": [older_than]}
            )
        return int(found.get("SpaceReclaimed") or 0)

    async def containers(
        self, filters: Mapping[str, list[str]], *, with_sizes: bool = False
    ) -> list[EngineContainer]:
        """The containers, also those that ended."""
        asked = {"all": "true", "size": str(with_sizes).lower(), "filters": json.dumps(filters)}

        async def ask(docker: aiodocker.Docker) -> list[EngineContainer]:
            found = await docker.containers.list(**asked)
            return [_container(container._container) for container in found]  # noqa: SLF001

        return await self._ask(ask)

    async def remove_container(self, name: str) -> bool:
        """End and remove it, with its volumes; False when it was gone."""
        return await self._remove(
            lambda docker: docker.containers.container(name).delete(force=True, v=True)
        )

    async def networks(self, filters: Mapping[str, list[str]]) -> list[dict[str, Any]]:
        """The networks, as the engine tells them."""
        return await self._ask(lambda docker: docker.networks.list(filters=filters))

    async def create_network(self, config: dict[str, Any]) -> None:
        """Make a network."""
        async with asyncio.timeout(_SECONDS), self._translated() as docker:
            await docker.networks.create({**config, "CheckDuplicate": True})

    async def remove_network(self, name: str) -> bool:
        """Remove it; False when it was gone. Raises `InUse` while containers are attached."""

        async def remove(docker: aiodocker.Docker) -> None:
            network = await docker.networks.get(name)
            await network.delete()

        return await self._remove(remove)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._docker is not None:
            await self._docker.close()
            self._docker = None

    async def _ask(self, question: Callable[[aiodocker.Docker], Awaitable[Result]]) -> Result:
        retrying = AsyncRetrying(
            stop=stop_after_attempt(_TRIES),
            wait=wait_fixed(_PAUSE_SECONDS),
            retry=retry_if_exception_type(EngineUnavailable),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                async with self._translated() as docker, asyncio.timeout(_SECONDS):
                    return await question(docker)
        raise EngineUnavailable("The Docker engine does not answer.")

    async def _remove(self, removal: Callable[[aiodocker.Docker], Awaitable[object]]) -> bool:
        try:
            async with self._translated() as docker, asyncio.timeout(_REMOVAL_SECONDS):
                await removal(docker)
        except NotThere:
            return False
        return True

    @asynccontextmanager
    async def _translated(self) -> AsyncIterator[aiodocker.Docker]:
        try:
            if self._docker is None:
                self._docker = aiodocker.Docker(url=self.address)
            yield self._docker
        except aiodocker.DockerError as error:
            if error.status == NO_CONNECTION:
                raise self._unavailable() from error
            raise _ours(error) from error
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise self._unavailable() from error

    def _unavailable(self) -> EngineUnavailable:
        return EngineUnavailable(
            "The Docker engine does not answer.",
            advice=f"Check that it runs, and that this user may use {self.address}.",
        )


class NotThere(EngineError):
    """The engine has no such thing."""

    code = "not_there"


def _ours(error: aiodocker.DockerError) -> EngineError:
    if error.status == 404:
        return NotThere("The engine has no such thing.")
    if error.status == 409 and "already in progress" in error.message:
        return NotThere("It is being removed already.")
    if error.status == 409 or "has active endpoints" in error.message:
        return InUse("It is in use.")
    log.warning("engine_refused", status=error.status, message=error.message)
    return EngineError(
        "The Docker engine refused what it was asked.", advice="The agent's log has its words."
    )


def _image(reference: str, image: Mapping[str, Any]) -> EngineImage:
    size, shared = int(image.get("Size") or 0), int(image.get("SharedSize") or 0)
    return EngineImage(
        reference=reference,
        labels=image.get("Labels") or {},
        size_bytes=size,
        own_bytes=size - max(0, shared),
        created=float(image.get("Created") or 0),
    )


def _container(container: Mapping[str, Any]) -> EngineContainer:
    return EngineContainer(
        id=container["Id"],
        name=(container.get("Names") or [container["Id"]])[0].lstrip("/"),
        labels=container.get("Labels") or {},
        is_running=container.get("State") in ("running", "created", "restarting"),
        created=float(container.get("Created") or 0),
        written_bytes=int(container.get("SizeRw") or 0),
    )


def tool_environment(address: str) -> dict[str, str]:
    """The variables by which Docker's own programs and libraries find this engine."""
    names = ("DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_API_VERSION")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return {**kept, "DOCKER_HOST": address}
