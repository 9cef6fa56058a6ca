"""Has a build's pod made, shared, told its order, and deleted.

The pod's name is the image's: a name that is taken means that the image is being built, by
another agent of this member or one that was killed, and then that pod is the build. One that
has ended, or is being deleted, makes way first.
"""

import asyncio
from dataclasses import dataclass

import structlog

from binder_federation.binder.errors import MemberBuildFailed
from binder_federation.cluster_agent.registry.credentials.base import (
    Credentials,
    docker_config_json,
)
from binder_federation.cluster_agent.stacks.kubernetes.build_pod import (
    BuildPod,
    choose_node,
    make_pod,
    make_secret,
    secret_of,
)
from binder_federation.cluster_agent.stacks.kubernetes.client import KubernetesApi
from binder_federation.cluster_agent.stacks.kubernetes.errors import AlreadyThere, ClusterError
from binder_federation.cluster_agent.stacks.kubernetes.pods import (
    Json,
    has_ended,
    has_started,
    is_being_deleted,
    name_of,
    uid_of,
)
from binder_federation.cluster_agent.stacks.repo2docker.order import BuildOrder, order_json
from binder_federation.config.agent import AgentSettings

log = structlog.get_logger(__name__)

_CLEAR_SECONDS = 60.0
_DELETE_SECONDS = 10.0
_NODES_SECONDS = 5.0
_REQUEST_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class FoundPod:
    """The pod that builds an image."""

    pod: Json
    is_ours: bool
    """Whether it was made for this very request."""


class BuildPods:
    """The member's build pods. Raises `ClusterError`s, and `RegistryError`s of `credentials`."""

    def __init__(
        self, *, api: KubernetesApi, settings: AgentSettings, credentials: Credentials
    ) -> None:
        self._api = api
        self._settings = settings
        self._pods = settings.kubernetes.build
        self._credentials = credentials

    async def choose_node(self, repository: str) -> str:
        """Where builds of the repository leave their layers; empty: any."""
        if not (self._pods.are_sticky and self._settings.kubernetes.may_read_nodes):
            return ""
        deadline = asyncio.get_running_loop().time() + _NODES_SECONDS
        try:
            nodes = await self._api.list_nodes(deadline=deadline)
        except ClusterError as error:
            log.info("nodes_unread", error=error.code)
            return ""
        return choose_node(nodes, repository, self._pods.node_selector)

    async def docker_config(self) -> str:
        """What the build logs in with where it pushes; a secret."""
        login = None if self._pods.push_secret else await self._credentials.fetch()
        return docker_config_json(login, self._settings.registry.host) if login else "{}"

    async def ensure(self, build: BuildPod) -> FoundPod:
        """The pod that builds this image: a new one, or the one that does already."""
        manifest = make_pod(build, self._pods, self._settings.isolation)
        deadline = asyncio.get_running_loop().time() + _CLEAR_SECONDS + _REQUEST_SECONDS
        while True:
            try:
                pod = await self._api.create_pod(manifest, is_repeated=True, deadline=deadline)
                return FoundPod(pod, is_ours=True)
            except AlreadyThere:
                there = await self._api.read_pod(build.name, deadline=deadline)
            if there is None:
                continue
            if not (has_ended(there) or is_being_deleted(there)):
                return FoundPod(there, is_ours=secret_of(there).endswith(build.nonce))
            await self._clear(there)

    async def hand_over(self, pod: Json, order: BuildOrder, docker_config: str) -> None:
        """Have the pod's Secret there, whoever made the pod: its maker may have been killed."""
        if has_started(pod):
            return
        manifest = make_secret(pod, order_json(order), docker_config)
        try:
            await self._api.create_secret(manifest, is_repeated=True)
        except AlreadyThere:
            return

    async def delete(self, pod: Json) -> None:
        """Delete the pod, and with it its Secret; what fails is left to the reaper."""
        deadline = asyncio.get_running_loop().time() + _DELETE_SECONDS
        try:
            await self._api.delete_pod(name_of(pod), uid=uid_of(pod), deadline=deadline)
        except ClusterError as error:
            log.warning("build_pod_left", pod=name_of(pod), error=error.code)

    async def _clear(self, pod: Json) -> None:
        """Have the pod of an earlier build gone."""
        name, uid = name_of(pod), uid_of(pod)
        await self._api.delete_pod(name, uid=uid)
        deadline = asyncio.get_running_loop().time() + _CLEAR_SECONDS
        async for seen in self._api.watch_pods(name=name, deadline=deadline):
            there = seen.pods.get(name)
            if there is None or uid_of(there) != uid:
                return
        raise MemberBuildFailed(
            "The pod of an earlier build of this image cannot be removed.",
            advice=f"The cluster's operator looks at the pod {name}.",
        )
