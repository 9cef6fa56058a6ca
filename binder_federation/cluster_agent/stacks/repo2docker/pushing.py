"""Pushes an image through the engine's API, which tells of each layer (`push_progress.py`).

A push that says nothing new for a while has stalled: closing the connection ends it in
the engine too. The image counts once the engine has told the manifest's digest.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiodocker
import aiohttp

from binder_federation.binder.errors import BuildFailed, MemberBuildFailed
from binder_federation.cluster_agent.registry.credentials.base import RegistryLogin
from binder_federation.cluster_agent.stacks.repo2docker.faults import (
    engine_unreachable,
    explain_push_failure,
)
from binder_federation.cluster_agent.stacks.repo2docker.push_progress import PushProgress

_TELL_EVERY_SECONDS = 0.5
_USUAL_SOCKET = "unix:///var/run/docker.sock"
_INSPECT_SECONDS = 30.0
_NO_CONNECTION = 900
"""The status that aiodocker gives an engine it cannot connect to."""
_ROOT = ("", "0", "root")


@dataclass(frozen=True, slots=True)
class MadeImage:
    """What the engine says of an image that it made."""

    size_bytes: int
    user: str

    @property
    def is_roots(self) -> bool:
        """Whether its servers would run as root."""
        return self.user.partition(":")[0] in _ROOT


@contextlib.asynccontextmanager
async def open_engine() -> AsyncIterator[aiodocker.Docker]:
    """The engine that `DOCKER_HOST` names. Raises `MemberBuildFailed` when it is none."""
    try:
        # Given, so that no context of the user's comes first: buildx is not told of one either.
        engine = aiodocker.Docker(url=os.environ.get("DOCKER_HOST") or _USUAL_SOCKET)
    except ValueError as error:
        raise engine_unreachable() from error
    async with engine:
        yield engine


async def inspect_image(engine: aiodocker.Docker, reference: str) -> MadeImage:
    """The image that was made. Raises `MemberBuildFailed` when the engine has none."""
    try:
        async with asyncio.timeout(_INSPECT_SECONDS):
            found = await engine.images.inspect(reference)
    except (aiodocker.DockerError, aiohttp.ClientError, OSError, TimeoutError) as error:
        raise MemberBuildFailed("The engine does not have the image that it built.") from error
    config = found.get("Config") or {}
    return MadeImage(size_bytes=int(found.get("Size") or 0), user=str(config.get("User") or ""))


async def remove_image(engine: aiodocker.Docker, reference: str) -> None:
    """Take the name from the image; the engine keeps its layers as a cache."""
    with contextlib.suppress(aiodocker.DockerError, aiohttp.ClientError, TimeoutError):
        async with asyncio.timeout(_INSPECT_SECONDS):
            await engine.images.delete(reference)


def refuse_root(made: MadeImage) -> None:
    """Raise `BuildFailed` for an image that would run as root."""
    if made.is_roots:
        raise BuildFailed(
            "The repository's Dockerfile leaves `root` as the user, and servers do not run as "
            "root here.",
            advice="Make a user with the id 1000 in the Dockerfile, and end it with `USER 1000`.",
        )


async def push_image(
    engine: aiodocker.Docker,
    reference: str,
    *,
    login: RegistryLogin | None,
    timeout_seconds: float,
    stall_seconds: float,
    on_progress: Callable[[Mapping[str, int]], None],
) -> str:
    """Push `reference`; returns the manifest's digest. Raises `MemberBuildFailed`."""
    progress = PushProgress()
    try:
        async with asyncio.timeout(timeout_seconds):
            await _follow(_push(engine, reference, login), progress, stall_seconds, on_progress)
    except TimeoutError as error:
        raise MemberBuildFailed(
            f"The push to the member's registry took longer than {timeout_seconds:.0f} seconds."
        ) from error
    except aiodocker.DockerError as error:
        if error.status == _NO_CONNECTION:
            raise engine_unreachable() from error
        raise explain_push_failure(str(error.message)) from error
    except (aiohttp.ClientError, OSError) as error:
        raise engine_unreachable() from error
    if progress.error or not progress.digest:
        raise explain_push_failure(progress.error)
    return progress.digest


def _push(
    engine: aiodocker.Docker, reference: str, login: RegistryLogin | None
) -> AsyncIterator[dict[str, Any]]:
    name, _, tag = reference.rpartition(":")
    auth = {"username": login.username, "password": login.password} if login else None
    return engine.images.push(name, tag=tag, auth=auth, stream=True)


async def _follow(
    messages: AsyncIterator[dict[str, Any]],
    progress: PushProgress,
    stall_seconds: float,
    on_progress: Callable[[Mapping[str, int]], None],
) -> None:
    told_at = 0.0
    try:
        async with asyncio.timeout(stall_seconds) as stall:
            async for message in messages:
                if not progress.observe(message):
                    continue
                stall.reschedule(asyncio.get_running_loop().time() + stall_seconds)
                if time.monotonic() - told_at >= _TELL_EVERY_SECONDS:
                    told_at = time.monotonic()
                    on_progress(progress.to_fields())
    except TimeoutError as error:
        if not stall.expired():
            raise
        raise MemberBuildFailed(
            f"The push to the member's registry made no progress for {stall_seconds:.0f} seconds."
        ) from error
    on_progress(progress.to_fields())
