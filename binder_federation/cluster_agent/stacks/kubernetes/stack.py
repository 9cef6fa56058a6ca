"""The Kubernetes stack: builds and users' servers are pods of one namespace.

`start` asks the cluster and the hub whether they let us work, and reads what room there
is. Servers outlive the agent: a managed hub finds them again in its database, in the state
folder, and `tidy` removes those that it does not.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import IO

import httpx

from binder_federation.binder.messages import CheckRecord
from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.registry.credentials.choose import choose_credentials
from binder_federation.cluster_agent.registry.last_used import LastUsed
from binder_federation.cluster_agent.stacks.base import Builder, Hub, ImageStore, Room
from binder_federation.cluster_agent.stacks.kubernetes.builder import KubernetesBuilder
from binder_federation.cluster_agent.stacks.kubernetes.built_images import BuiltImages
from binder_federation.cluster_agent.stacks.kubernetes.client import KubernetesApi
from binder_federation.cluster_agent.stacks.kubernetes.cluster_parts import ClusterParts
from binder_federation.cluster_agent.stacks.kubernetes.errors import ClusterError
from binder_federation.cluster_agent.stacks.kubernetes.housekeeping import Housekeeping
from binder_federation.cluster_agent.stacks.kubernetes.hub import ExternalHub
from binder_federation.cluster_agent.stacks.kubernetes.kubeconfig import write_kubeconfig
from binder_federation.cluster_agent.stacks.kubernetes.registry_parts import RegistryParts
from binder_federation.cluster_agent.stacks.kubernetes.spawner_config import plan_hub
from binder_federation.cluster_agent.stacks.kubernetes.start_checks import (
    check_cluster,
    check_settings,
    warn_of_weakness,
)
from binder_federation.cluster_agent.stacks.local.machine import lock_folder
from binder_federation.cluster_agent.stacks.managed_hub.hub import ManagedHub
from binder_federation.config.agent import AgentSettings
from binder_federation.runtime.tls import known_authorities

_API_SECONDS = 3.0
_USUAL_CAPACITY = 100
"""Sessions of a cluster that tells nothing of its room."""


class KubernetesStack:
    """The stack of `stack: kubernetes`."""

    def __init__(self, *, settings: AgentSettings) -> None:
        check_settings(settings.kubernetes)
        self._settings = settings
        self._root = settings.state_dir.absolute()
        self._lock: IO[bytes] | None = None
        self._http = httpx.AsyncClient(verify=known_authorities())
        self._last_used = LastUsed(path=self._root / "last-used.json", clock=time.time)
        self._built = BuiltImages(path=self._root / "built-images.json", now=time.time)
        self._credentials = choose_credentials(
            settings.registry, client=self._http, clock=time.time
        )
        self._registry = self._make_registry()
        self._hub: ManagedHub | ExternalHub | None = None
        self._parts: ClusterParts | None = None
        self._capacity = _USUAL_CAPACITY

    @property
    def builder(self) -> Builder:
        """Makes images, in pods."""
        return self._started.builder

    @property
    def images(self) -> ImageStore:
        """The images in the registry and on the nodes."""
        return self._started.images

    @property
    def hub(self) -> Hub:
        """JupyterHub: below this process, or somebody else's."""
        if self._hub is None:
            raise RuntimeError("the stack is not started")
        return self._hub

    @property
    def further_build_seconds(self) -> float:
        """Until a node has the build's pod, and for the push."""
        settings = self._settings
        return settings.kubernetes.build.starting_seconds + settings.registry.push_timeout_seconds

    @property
    def default_capacity(self) -> int:
        """Sessions that the cluster carried when the stack started."""
        return self._capacity

    async def start(self) -> None:
        """Make everything ready; raises `StackNotReady`."""
        self._lock = lock_folder(self._root)
        kubernetes = self._settings.kubernetes
        api = await KubernetesApi.open(namespace=kubernetes.namespace, context=kubernetes.context)
        self._parts = ClusterParts(
            api=api,
            settings=self._settings,
            built=self._built,
            last_used=self._last_used,
            registry=self._registry,
            builder=self._make_builder(api),
        )
        await check_cluster(api, kubernetes)
        warn_of_weakness(self._settings.isolation)
        await self._remember()
        await self._parts.housekeeping.run(known_servers=None)
        self._capacity = self._count_places(self._parts.housekeeping)
        self._hub = self._make_hub(api)
        await self._hub.start()

    async def checks(self) -> Sequence[CheckRecord]:
        """The hub, its proxy, the cluster's API, its registry, pods that are stuck."""
        registry = self._registry.checks() if self._registry else _nothing()
        hub = self._hub.checks() if self._hub else _nothing()
        parts = await asyncio.gather(hub, self._check_api(), registry)
        return (*parts[0], *parts[1], *parts[2], self._started.housekeeping.check())

    @property
    def room(self) -> Room:
        """What the cluster has left, as last read, or as a refusal told since."""
        room, builds = self._started.housekeeping.room, self._started.kubernetes_builder.room
        return Room(
            sessions=room.sessions,
            can_build=room.can_build and builds.can_build,
            reason=room.reason or builds.reason,
        )

    def note_full(self) -> None:
        """The cluster refused a server for want of room: it has none for a moment."""
        self._started.housekeeping.note_full()

    async def tidy(self, *, known_servers: frozenset[ServerName] | None) -> None:
        """Read the room, remove pods that nobody owns, count those that are stuck."""
        await self._started.housekeeping.run(known_servers=known_servers)

    async def aclose(self) -> None:
        """Stop the hub; servers go on."""
        if self._hub is not None:
            await self._hub.aclose()
            self._hub = None
        if self._parts is not None:
            await self._parts.api.aclose()
        if self._lock is not None:
            await self._last_used.aclose()
            if self._registry is not None:
                await self._registry.images.aclose()
            self._lock.close()
            self._lock = None
        await self._http.aclose()

    @property
    def _started(self) -> ClusterParts:
        if self._parts is None:
            raise RuntimeError("the stack is not started")
        return self._parts

    def _make_registry(self) -> RegistryParts | None:
        if not self._settings.registry.repository:
            return None
        return RegistryParts(
            settings=self._settings.registry,
            http=self._http,
            credentials=self._credentials,
            last_used=self._last_used,
            root=self._root,
        )

    def _make_builder(self, api: KubernetesApi) -> KubernetesBuilder:
        return KubernetesBuilder(
            api=api,
            settings=self._settings,
            registry=self._registry.images if self._registry else None,
            credentials=self._credentials,
            clock=time.monotonic,
            now=time.time,
        )

    def _make_hub(self, api: KubernetesApi) -> ManagedHub | ExternalHub:
        kubernetes, sessions = self._settings.kubernetes, self._settings.quota.sessions
        if kubernetes.hub.mode == "external":
            return ExternalHub(settings=kubernetes.hub)
        kubeconfig = None
        if kubernetes.context:
            kubeconfig = write_kubeconfig(self._root / "kubeconfig", context=kubernetes.context)
        plan = plan_hub(
            self._settings,
            namespace=api.namespace,
            most_sessions=self._capacity if sessions is None else sessions,
            kubeconfig=kubeconfig,
        )
        return ManagedHub(launch=self._settings.longest_launch, plan=plan)

    async def _remember(self) -> None:
        await self._last_used.load()
        await self._built.load()
        if self._registry is not None:
            await self._registry.images.load()

    def _count_places(self, housekeeping: Housekeeping) -> int:
        """Those that are taken, by servers of an earlier run, and those that are free."""
        free = housekeeping.room.sessions
        return _USUAL_CAPACITY if free is None else max(1, housekeeping.servers + free)

    async def _check_api(self) -> Sequence[CheckRecord]:
        deadline = asyncio.get_running_loop().time() + _API_SECONDS
        try:
            await self._started.api.list_quotas(deadline=deadline)
        except ClusterError as error:
            return (CheckRecord(service="Kubernetes API", ok=False, message=error.message),)
        return (CheckRecord(service="Kubernetes API", ok=True),)


async def _nothing() -> Sequence[CheckRecord]:
    return ()
