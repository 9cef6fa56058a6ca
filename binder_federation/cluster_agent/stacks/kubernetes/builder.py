"""Makes an image in a pod: the cluster has the room, the node's engine (or BuildKit) the tools.

The pod's name follows from the image, so agents of one member share one build: a name that
is taken means that it is being built, and is watched. So does an agent that was killed and
came back. What came of it is judged by `build_verdict.py`; with a registry an image counts
once that has its manifest.

The pod of a build that failed is kept a while for its operator, one that succeeded is
deleted. A build that is cancelled (its agent stops) is deleted by the agent that made it;
another one, which only watches, leaves it alone.
"""

import asyncio
import secrets
from collections.abc import Callable

import structlog
from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, wait_exponential

from binder_federation.binder.errors import BuildFailed, MemberBuildFailed
from binder_federation.binder.events import Phase
from binder_federation.cluster_agent.core.image_names import image_tag
from binder_federation.cluster_agent.registry.credentials.base import Credentials
from binder_federation.cluster_agent.registry.errors import RegistryError
from binder_federation.cluster_agent.registry.inventory import RegistryImage, RegistryImages
from binder_federation.cluster_agent.stacks.base import (
    BuildPlan,
    BuildProgress,
    Image,
    Room,
    StackNotReady,
)
from binder_federation.cluster_agent.stacks.kubernetes.build_leftovers import choose_leftovers
from binder_federation.cluster_agent.stacks.kubernetes.build_pod import BuildPod
from binder_federation.cluster_agent.stacks.kubernetes.build_pods import BuildPods, FoundPod
from binder_federation.cluster_agent.stacks.kubernetes.build_verdict import Built
from binder_federation.cluster_agent.stacks.kubernetes.build_watch import BuildWatch
from binder_federation.cluster_agent.stacks.kubernetes.client import KubernetesApi
from binder_federation.cluster_agent.stacks.kubernetes.errors import ClusterError, ClusterFull
from binder_federation.cluster_agent.stacks.kubernetes.labels import Component, selector_of
from binder_federation.cluster_agent.stacks.kubernetes.pods import (
    has_ended,
    name_of,
    uid_of,
)
from binder_federation.cluster_agent.stacks.repo2docker.order import BuildOrder
from binder_federation.cluster_agent.stacks.repo2docker.ordering import make_order
from binder_federation.config.agent import AgentSettings
from binder_federation.runtime.errors import ServiceError

log = structlog.get_logger(__name__)

_SPARE_SECONDS = 150.0
"""The pod's own deadline comes first: it ends everything, and says so better."""
_REGISTRY_SECONDS = 10.0


class KubernetesBuilder:
    """The builder of the Kubernetes stack.

    `registry` None: images stay on the node that built them. `clock` gives seconds that only
    grow, `now` seconds since the epoch. Raises `StackNotReady` for settings without sense.
    """

    def __init__(
        self,
        *,
        api: KubernetesApi,
        settings: AgentSettings,
        registry: RegistryImages | None,
        credentials: Credentials,
        clock: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        if settings.kubernetes.build.buildkit_address and not settings.registry.repository:
            raise StackNotReady(
                "BuildKit keeps no images, and there is no registry to push them to.",
                advice="Set registry.repository, or build through an engine's socket.",
            )
        self._api = api
        self._settings = settings
        self._build_settings = settings.kubernetes.build
        self._pods = BuildPods(api=api, settings=settings, credentials=credentials)
        self._registry = registry
        self._clock = clock
        self._now = now
        self._refused_until = 0.0

    @property
    def room(self) -> Room:
        """Whether the cluster takes builds, as far as its last refusal tells."""
        if self._clock() < self._refused_until:
            return Room(can_build=False, reason="The namespace's quota has no place for a build.")
        return Room()

    async def build(self, plan: BuildPlan, progress: BuildProgress) -> Image:
        """Make the image of `plan`, whole or not at all. Raises as `Builder.build` does."""
        try:
            return await self._build(plan, progress)
        except (ClusterError, RegistryError) as error:
            raise MemberBuildFailed(
                error.message, advice=error.advice, retry_after_seconds=error.retry_after_seconds
            ) from error

    async def reap_builds(self) -> int:
        """Delete the pods of builds that nobody needs any more; how many are stuck.

        Raises `ClusterError` when the cluster does not answer.
        """
        pods = await self._api.list_pods(selector_of(self._settings.name, Component.BUILD))
        found = choose_leftovers(pods, settings=self._settings.kubernetes, now=self._now())
        for pod in found.done:
            await self._api.delete_pod(name_of(pod), uid=uid_of(pod))
        for pod in found.given_up:
            log.warning("stuck_build_deleted", pod=name_of(pod))
            await self._api.delete_pod(name_of(pod), uid=uid_of(pod))
        return found.stuck

    async def _build(self, plan: BuildPlan, progress: BuildProgress) -> Image:
        order = make_order(
            plan, settings=self._settings, buildkit_address=self._build_settings.buildkit_address
        )
        docker_config = await self._pods.docker_config()
        progress.enter(Phase.WAITING, "Waiting for a machine that builds")
        found = await self._ensure_pod(plan, order)
        if not found.is_ours:
            progress.log("It is being built already; watching that build.")
        watch = BuildWatch(
            api=self._api,
            pod=found.pod,
            progress=progress,
            starting_seconds=self._build_settings.starting_seconds,
        )
        try:
            await self._pods.hand_over(found.pod, order, docker_config)
            outcome = await watch.follow(deadline=self._deadline(order))
            image = await self._conclude(plan, order, outcome)
        except asyncio.CancelledError:
            if found.is_ours:
                await self._pods.delete(found.pod)
            raise
        except ServiceError as error:
            name = name_of(found.pod)
            log.warning("build_pod_failed", pod=name, code=error.code, reason=error.message)
            if not has_ended(watch.pod):
                await self._pods.delete(found.pod)
            raise
        await self._pods.delete(found.pod)
        return image

    async def _ensure_pod(self, plan: BuildPlan, order: BuildOrder) -> FoundPod:
        build = BuildPod(
            key=plan.key,
            order=order,
            member=self._settings.name,
            nonce=secrets.token_hex(4),
            node=await self._pods.choose_node(order.repository),
        )
        try:
            return await self._pods.ensure(build)
        except ClusterFull as error:
            raise self._full() from error

    async def _conclude(
        self, plan: BuildPlan, order: BuildOrder, outcome: Built | ServiceError
    ) -> Image:
        """The image, if it is there; raises what the build failed with.

        With a registry an image counts once that has it, and then whatever became of the pod:
        another agent may have deleted it, having seen its end before.
        """
        size = 0 if isinstance(outcome, ServiceError) else outcome.size_bytes
        if self._registry is not None and not isinstance(outcome, BuildFailed):
            tag = image_tag(plan.spec, plan.key)
            if isinstance(outcome, ServiceError):
                found = await self._look_for(self._registry, tag)
            else:
                found = await self._find_pushed(self._registry, tag)
            if found is not None:
                return Image(plan.key, order.reference, plan.spec.affinity_key, found.size_bytes)
        if isinstance(outcome, ServiceError):
            raise outcome
        return Image(plan.key, order.reference, plan.spec.affinity_key, size)

    async def _look_for(self, registry: RegistryImages, tag: str) -> RegistryImage | None:
        """What the registry has after a failure; None also when it does not answer."""
        deadline = asyncio.get_running_loop().time() + _REGISTRY_SECONDS
        try:
            return await registry.find(tag, deadline=deadline)
        except RegistryError:
            return None

    async def _find_pushed(self, registry: RegistryImages, tag: str) -> RegistryImage:
        """What was pushed; a registry of several machines may take a moment to know it."""
        deadline = asyncio.get_running_loop().time() + _REGISTRY_SECONDS
        retrying = AsyncRetrying(
            retry=retry_if_result(lambda image: image is None),
            stop=stop_after_delay(_REGISTRY_SECONDS),
            wait=wait_exponential(multiplier=0.1, max=2),
            retry_error_callback=lambda _: None,
        )
        image: RegistryImage | None = await retrying(registry.find, tag, deadline=deadline)
        if image is None:
            raise MemberBuildFailed(
                "The image was built, but the member's registry does not have it."
            )
        return image

    def _full(self) -> MemberBuildFailed:
        seconds = self._build_settings.refused_seconds
        self._refused_until = self._clock() + seconds
        return MemberBuildFailed(
            "The quota of this member's namespace has no place for a build.",
            advice="Try again later.",
            retry_after_seconds=seconds,
        )

    def _deadline(self, order: BuildOrder) -> float:
        push = 0.0 if order.push == "no" else order.push_timeout_seconds
        now = asyncio.get_running_loop().time()
        started = now + self._build_settings.starting_seconds
        return started + order.timeout_seconds + push + _SPARE_SECONDS
