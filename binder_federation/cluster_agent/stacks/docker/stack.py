"""The Docker stack: one engine for builds, images and users' servers.

`start` takes the state folder, removes what an earlier run left, makes the network and
starts JupyterHub. `aclose` undoes it; with `docker.keep_servers` users' servers stay, and
the next start finds them in the hub's database.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from typing import IO

import httpx
import structlog

from binder_federation.binder.errors import MemberBuildFailed
from binder_federation.binder.messages import CheckRecord
from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.registry.client import RegistryClient, make_registry_client
from binder_federation.cluster_agent.registry.credentials.choose import choose_credentials
from binder_federation.cluster_agent.registry.errors import RegistryError
from binder_federation.cluster_agent.registry.inventory import RegistryImages
from binder_federation.cluster_agent.registry.last_used import LastUsed
from binder_federation.cluster_agent.stacks.base import (
    Builder,
    Hub,
    ImageStore,
    Room,
    StackNotReady,
)
from binder_federation.cluster_agent.stacks.docker.build_memory import (
    BuildMemory,
    runs_as_root,
    why_unlimited,
)
from binder_federation.cluster_agent.stacks.docker.builder import DockerBuilder
from binder_federation.cluster_agent.stacks.docker.engine import (
    Engine,
    EngineInfo,
    engine_address,
    tool_environment,
)
from binder_federation.cluster_agent.stacks.docker.errors import EngineError
from binder_federation.cluster_agent.stacks.docker.images import DockerImages
from binder_federation.cluster_agent.stacks.docker.isolation import (
    bytes_of,
    may_limit_disk,
    weaknesses,
)
from binder_federation.cluster_agent.stacks.docker.leftovers import SessionContainers
from binder_federation.cluster_agent.stacks.docker.login_file import LoginFile
from binder_federation.cluster_agent.stacks.docker.machine import (
    Disk,
    read_disk,
    sessions_that_fit,
)
from binder_federation.cluster_agent.stacks.docker.network import ServerNetwork
from binder_federation.cluster_agent.stacks.docker.spawner_config import plan_hub
from binder_federation.cluster_agent.stacks.host.files import remove_tree
from binder_federation.cluster_agent.stacks.host.tool_runs import run_tool
from binder_federation.cluster_agent.stacks.host.tools import find_tool
from binder_federation.cluster_agent.stacks.local.machine import lock_folder
from binder_federation.cluster_agent.stacks.managed_hub.hub import ManagedHub
from binder_federation.cluster_agent.stacks.repo2docker.ordering import image_repository
from binder_federation.config.agent import AgentSettings
from binder_federation.runtime.processes import OWNER_MARK, end_marked_processes
from binder_federation.runtime.tls import known_authorities

log = structlog.get_logger(__name__)

_SWEEP_SECONDS = 1.0
_SELDOM_SECONDS = 60.0
_PRUNE_EVERY_SECONDS = 3600.0
_PING_SECONDS = 5.0
_TOOL_SECONDS = 20.0


class DockerStack:
    """The stack of `stack: docker`."""

    def __init__(self, *, settings: AgentSettings) -> None:
        self._settings = settings
        self._root = settings.state_dir.absolute()
        self._lock: IO[bytes] | None = None
        self._http = httpx.AsyncClient(verify=known_authorities())
        self._engine = Engine(address=engine_address(settings.docker.engine_url, os.environ))
        self._info: EngineInfo | None = None
        self._managed_hub: ManagedHub | None = None
        self._disk = Disk(None)
        self._seldom_at = self._pruned_at = 0.0
        self._last_used = LastUsed(path=self._root / "last-used.json", clock=time.time)
        self._credentials = choose_credentials(
            settings.registry, client=self._http, clock=time.time
        )
        self._registry: RegistryClient | None = None
        self._network = ServerNetwork(
            engine=self._engine,
            settings=settings.docker,
            member=settings.name,
            owner=self._root,
        )
        self._containers = SessionContainers(
            engine=self._engine, member=settings.name, owner=self._root
        )
        self._login = LoginFile(
            path=self._root / "login" / "config.json",
            credentials=self._credentials,
            registry=settings.registry,
        )
        self._images = self._make_images()
        self._builder = DockerBuilder(
            settings=settings,
            address=self._engine.address,
            building=self._root / "building",
            credentials=self._credentials,
            check_room=self._check_room,
        )

    @property
    def builder(self) -> Builder:
        """Makes images."""
        return self._builder

    @property
    def images(self) -> ImageStore:
        """The images on the engine and in the registry."""
        return self._images

    @property
    def hub(self) -> Hub:
        """JupyterHub, below this process. It is there once the stack has started."""
        if self._managed_hub is None:
            raise RuntimeError("the stack is not started")
        return self._managed_hub

    @property
    def further_build_seconds(self) -> float:
        """A build begins at once; the push has a deadline of its own."""
        return self._settings.registry.push_timeout_seconds

    @property
    def default_capacity(self) -> int:
        """Sessions that the engine's memory carries; 1 before the engine was asked."""
        if self._info is None:
            return 1
        return sessions_that_fit(self._info, self._settings.resources)

    async def start(self) -> None:
        """Make everything ready; raises `StackNotReady`."""
        self._lock = lock_folder(self._root)
        await self._sweep()
        try:
            self._info = await self._engine.info()
            await self._check_tools()
            await self._clear_containers()
            await self._network.ensure()
        except EngineError as error:
            raise StackNotReady(error.message, advice=error.advice) from error
        await self._last_used.load()
        await self._login.ensure()
        self._disk = read_disk(self._engine, self._info)
        self._warn(self._info)
        await self._start_hub(self._info)

    async def checks(self) -> Sequence[CheckRecord]:
        """The hub, its proxy, the engine, its disk, the registry."""
        parts = await asyncio.gather(
            self._hub_checks(), self._check_engine(), self._check_registry()
        )
        return (*parts[0], *parts[1], self._check_disk(), *parts[2])

    @property
    def room(self) -> Room:
        """Builds need more of the disk than servers do."""
        if self._disk.is_under(self._settings.docker.least_free_bytes):
            return Room(can_build=False, reason=f"The disk is nearly full: {self._free()}")
        return Room()

    def note_full(self) -> None:
        """Never: an engine has no quota, it starts containers until they fail."""

    async def tidy(self, *, known_servers: frozenset[ServerName] | None) -> None:
        """Read the disk, keep the login fresh, remove containers that nobody has."""
        if self._info is None:
            return
        await self._login.ensure()
        self._disk = await asyncio.to_thread(read_disk, self._engine, self._info)
        if known_servers is not None:
            await self._containers.remove_unknown(known_servers)
        now = time.monotonic()
        if now - self._seldom_at >= _SELDOM_SECONDS:
            self._seldom_at = now
            await self._tidy_seldom(self._info, now)

    async def aclose(self) -> None:
        """Stop the hub and the servers, give everything back."""
        if self._managed_hub is not None:
            await self._managed_hub.aclose()
            self._managed_hub = None
        if self._info is not None and not self._settings.docker.keep_servers:
            await self._clear_engine()
        if self._lock is not None:
            await self._last_used.aclose()
            self._login.remove()
            await self._sweep()
            self._lock.close()
            self._lock = None
        await self._engine.aclose()
        await self._http.aclose()

    def _make_images(self) -> DockerImages:
        settings = self._settings
        registry = None
        if settings.registry.repository:
            self._registry = make_registry_client(
                settings.registry,
                client=self._http,
                credentials=self._credentials,
                clock=time.time,
            )
            registry = RegistryImages(
                client=self._registry, settings=settings.registry, last_used=self._last_used
            )
        return DockerImages(
            engine=self._engine,
            repository=image_repository(settings),
            settings=settings.docker,
            last_used=self._last_used,
            registry=registry,
            credentials=self._credentials,
        )

    async def _start_hub(self, info: EngineInfo) -> None:
        sessions = self._settings.quota.sessions
        plan = plan_hub(
            self._settings,
            address=self._engine.address,
            network=self._network.name,
            login_file=self._root / "login" / "config.json",
            most_sessions=self.default_capacity if sessions is None else sessions,
            can_limit_disk=_can_limit_disk(info),
        )
        self._managed_hub = ManagedHub(launch=self._settings.longest_launch, plan=plan)
        await self._managed_hub.start()

    async def _check_tools(self) -> None:
        """buildx makes the images; without it every build would fail."""
        docker = find_tool("docker")
        find_tool("git")
        variables = {**os.environ, **tool_environment(self._engine.address)}
        async with asyncio.timeout(_TOOL_SECONDS):
            asked = await run_tool(
                [docker, "buildx", "version"],
                cwd=self._root,
                variables=variables,
                on_line=lambda _line: None,
            )
        if not asked.is_ok:
            raise StackNotReady(
                "The Docker client lacks buildx, which makes the images.",
                advice="Install Docker's package docker-buildx-plugin.",
            )

    async def _clear_containers(self) -> None:
        """Of earlier runs; those of this agent stay where the hub will find them again.

        What says that an agent is no more is its folder: of an engine elsewhere, another
        machine may be using what has no folder here."""
        if not self._settings.docker.keep_servers:
            await self._containers.remove_all()
        if self._engine.is_here:
            await self._containers.remove_orphans()
            await self._network.remove_orphans()

    async def _clear_engine(self) -> None:
        try:
            await self._containers.remove_all()
        except EngineError as error:
            log.warning("containers_left_over", reason=error.message)
        else:
            await self._network.remove()

    async def _tidy_seldom(self, info: EngineInfo, now: float) -> None:
        await self._network.ensure()
        limit = self._settings.isolation.disk_limit
        if limit and not _can_limit_disk(info):
            await self._containers.remove_oversized(bytes_of(limit))
        is_short = self._disk.is_under(2 * self._settings.docker.least_free_bytes)
        if is_short and now - self._pruned_at >= _PRUNE_EVERY_SECONDS:
            self._pruned_at = now
            await self._images.prune_builds()

    async def _check_room(self) -> None:
        """Full disks break what runs; leave room, so that images which are here still start."""
        if self._info is not None:
            self._disk = await asyncio.to_thread(read_disk, self._engine, self._info)
        if not self.room.can_build:
            raise MemberBuildFailed("The member's disk is nearly full, so it builds nothing now.")

    async def _hub_checks(self) -> Sequence[CheckRecord]:
        return () if self._managed_hub is None else await self._managed_hub.checks()

    async def _check_engine(self) -> Sequence[CheckRecord]:
        try:
            await self._engine.info()
        except EngineError as error:
            return (CheckRecord(service="Docker engine", ok=False, message=error.message),)
        return (CheckRecord(service="Docker engine", ok=True),)

    def _check_disk(self) -> CheckRecord:
        ok = not self._disk.is_under(self._settings.docker.least_free_bytes // 10)
        return CheckRecord(service="Disk", ok=ok, message=self._free())

    async def _check_registry(self) -> Sequence[CheckRecord]:
        if self._registry is None:
            return ()
        try:
            deadline = asyncio.get_running_loop().time() + _PING_SECONDS
            await self._registry.ping(deadline=deadline)
        except RegistryError as error:
            return (CheckRecord(service="Docker registry", ok=False, message=error.message),)
        return (CheckRecord(service="Docker registry", ok=True),)

    def _free(self) -> str:
        return self._disk.to_sentence()

    def _warn(self, info: EngineInfo) -> None:
        sentences = weaknesses(
            self._settings.isolation,
            can_limit_disk=_can_limit_disk(info),
            firewall_missing=self._network.firewall_missing,
            builds_unlimited=self._limit_builds(info),
            are_builds_blocked=self._settings.docker.firewall_builds,
        )
        for sentence in sentences:
            log.warning("isolation_weak", reason=sentence)

    def _limit_builds(self, info: EngineInfo) -> str:
        """Limit what builds need of the memory, if that is set; why it cannot be."""
        limit = self._settings.build.repo2docker.memory_limit
        if not limit:
            return ""
        reason = why_unlimited(info, is_here=self._engine.is_here, is_root=runs_as_root())
        if not reason:
            self._builder.memory = BuildMemory(
                limit_bytes=bytes_of(limit), version=info.cgroup_version
            )
        return reason

    async def _sweep(self) -> None:
        """Processes and builds of an earlier run, or of this one."""
        ended = await end_marked_processes(OWNER_MARK, str(self._root), _SWEEP_SECONDS)
        if ended:
            log.info("leftover_processes_ended", count=ended)
        await asyncio.to_thread(remove_tree, self._root / "building")


def _can_limit_disk(info: EngineInfo) -> bool:
    return may_limit_disk(
        storage_driver=info.storage_driver, backing_filesystem=info.backing_filesystem
    )
