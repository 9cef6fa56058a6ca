"""The local stack: everything an agent needs to build and launch on one machine, alone.

`start` takes the state folder, removes what an earlier run left, then makes the base
environment and starts JupyterHub side by side. `aclose` undoes it in reverse and ends
whatever is left by its mark.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import httpx

from binder_federation.binder.messages import CheckRecord
from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.stacks.base import (
    Builder,
    Hub,
    ImageStore,
    Room,
    StackNotReady,
)
from binder_federation.cluster_agent.stacks.host.environment import tool_variables
from binder_federation.cluster_agent.stacks.host.tools import find_tool
from binder_federation.cluster_agent.stacks.local.base_environment import BaseEnvironment
from binder_federation.cluster_agent.stacks.local.builder import LEAST_FREE_BYTES, LocalBuilder
from binder_federation.cluster_agent.stacks.local.folders import StackFolders
from binder_federation.cluster_agent.stacks.local.images import LocalImages
from binder_federation.cluster_agent.stacks.local.machine import lock_folder, sessions_that_fit
from binder_federation.cluster_agent.stacks.local.spawner_config import plan_hub
from binder_federation.cluster_agent.stacks.local.sweep import (
    sweep_files,
    sweep_processes,
    sweep_sessions,
)
from binder_federation.cluster_agent.stacks.managed_hub.hub import ManagedHub
from binder_federation.cluster_agent.stacks.sources.content import ContentFetcher
from binder_federation.config.agent import AgentSettings
from binder_federation.runtime.errors import ServiceError
from binder_federation.runtime.processes import OWNER_MARK
from binder_federation.runtime.tls import known_authorities

_SWEEP_SECONDS = 1.0
_LEAST_FREE_BYTES = 200 << 20
"""Under this sessions fail; builds stop long before (`builder.py`)."""


class LocalStack:
    """The stack of `stack: local`."""

    def __init__(self, *, settings: AgentSettings) -> None:
        self._folders = StackFolders(settings.state_dir.absolute())
        self._lock: IO[bytes] | None = None
        self._client = httpx.AsyncClient(
            timeout=settings.providers.timeout_seconds, verify=known_authorities()
        )
        uv = find_tool("uv")
        find_tool("git")
        self._base = BaseEnvironment(
            folder=self._folders.base, uv=uv, variables=self._base_variables()
        )
        self._images = LocalImages(
            folders=self._folders, bytes_limit=settings.local.image_bytes_limit
        )
        self._builder = LocalBuilder(
            folders=self._folders,
            base=self._base,
            content=ContentFetcher(settings=settings.providers, client=self._client),
            uv=uv,
            inherited=os.environ,
            timeout_seconds=settings.build.timeout_seconds,
            may_download_python=settings.local.allow_python_downloads,
        )
        sessions = settings.quota.sessions
        plan = plan_hub(
            settings.local,
            self._folders,
            most_sessions=self.default_capacity if sessions is None else sessions,
        )
        self._hub = ManagedHub(launch=settings.longest_launch, plan=plan)

    @property
    def builder(self) -> Builder:
        """Makes images."""
        return self._builder

    @property
    def images(self) -> ImageStore:
        """The images in the state folder."""
        return self._images

    @property
    def hub(self) -> Hub:
        """JupyterHub, below this process."""
        return self._hub

    @property
    def default_capacity(self) -> int:
        """Sessions that this machine's memory carries."""
        return sessions_that_fit()

    @property
    def further_build_seconds(self) -> float:
        """Builds begin at once, and nothing is pushed."""
        return 0.0

    async def start(self) -> None:
        """Make everything ready; raises `StackNotReady`."""
        self._lock = lock_folder(self._folders.root)
        await sweep_processes(self._folders, grace_seconds=_SWEEP_SECONDS)
        await sweep_files(self._folders)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._base.ensure())
                group.create_task(self._hub.start())
        except* ServiceError as errors:
            raise _first(errors) from errors

    async def checks(self) -> Sequence[CheckRecord]:
        """The hub, its proxy, the disk, the base environment."""
        has_base = self._base.is_there
        return (
            *await self._hub.checks(),
            self._check_disk(),
            CheckRecord(
                service="Base environment",
                ok=has_base,
                message="" if has_base else "The base environment was removed; restart the agent.",
            ),
        )

    @property
    def room(self) -> Room:
        """Builds need more of the disk than servers do."""
        free = shutil.disk_usage(self._folders.root).free
        if free < LEAST_FREE_BYTES:
            return Room(can_build=False, reason=f"The disk is nearly full: {free / 1e9:.1f} GB.")
        return Room()

    def note_full(self) -> None:
        """Never: this machine starts processes until they fail."""

    async def tidy(self, *, known_servers: frozenset[ServerName] | None) -> None:
        """Remove what is left of sessions that the hub knows no more: it was killed, say."""
        if known_servers is not None:
            await sweep_sessions(self._folders, known_servers=known_servers)

    async def aclose(self) -> None:
        """Stop the hub, end what is left, give the folder back."""
        await self._hub.aclose()
        await self._client.aclose()
        if self._lock is None:
            return
        await sweep_processes(self._folders, grace_seconds=_SWEEP_SECONDS)
        await sweep_files(self._folders)
        self._lock.close()
        self._lock = None

    def _check_disk(self) -> CheckRecord:
        free = shutil.disk_usage(self._folders.root).free
        ok = free >= _LEAST_FREE_BYTES
        return CheckRecord(service="Disk", ok=ok, message=f"{free / 1e9:.1f} GB are free.")

    def _base_variables(self) -> dict[str, str]:
        temporary = Path(tempfile.gettempdir())
        variables = tool_variables(os.environ, home=self._folders.base, temporary=temporary)
        return {**variables, OWNER_MARK: str(self._folders.root)}


def _first(group: BaseExceptionGroup[ServiceError]) -> BaseException:
    """One of the errors: people are told one thing at a time."""
    for error in group.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    return StackNotReady("The stack could not start.")
