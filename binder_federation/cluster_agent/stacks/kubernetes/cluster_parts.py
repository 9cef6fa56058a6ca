"""The parts of the stack that work with the cluster's API, wired."""

import time

from binder_federation.cluster_agent.registry.last_used import LastUsed
from binder_federation.cluster_agent.stacks.base import Builder
from binder_federation.cluster_agent.stacks.kubernetes.builder import KubernetesBuilder
from binder_federation.cluster_agent.stacks.kubernetes.built_images import BuiltImages
from binder_federation.cluster_agent.stacks.kubernetes.client import KubernetesApi
from binder_federation.cluster_agent.stacks.kubernetes.housekeeping import Housekeeping
from binder_federation.cluster_agent.stacks.kubernetes.image_sources import (
    ImageSource,
    InRegistry,
    OnNodes,
)
from binder_federation.cluster_agent.stacks.kubernetes.images import (
    KubernetesImages,
    RememberingBuilder,
)
from binder_federation.cluster_agent.stacks.kubernetes.nodes import NodeReader
from binder_federation.cluster_agent.stacks.kubernetes.prepull import Prepuller
from binder_federation.cluster_agent.stacks.kubernetes.registry_parts import RegistryParts
from binder_federation.config.agent import AgentSettings


class ClusterParts:
    """What there is once the cluster is known."""

    def __init__(
        self,
        *,
        api: KubernetesApi,
        settings: AgentSettings,
        built: BuiltImages,
        last_used: LastUsed,
        registry: RegistryParts | None,
        builder: KubernetesBuilder,
    ) -> None:
        self.api = api
        nodes = NodeReader(api=api, settings=settings.kubernetes, clock=time.monotonic)
        self.kubernetes_builder = builder
        self.builder: Builder = builder
        source: ImageSource
        if registry is None:
            source = OnNodes(built=built, nodes=nodes.nodes, last_used=last_used, now=time.time)
            self.builder = RememberingBuilder(builder=builder, built=built)
        else:
            source = InRegistry(images=registry.images, client=registry.client, last_used=last_used)
        prepuller = Prepuller(api=api, settings=settings)
        self.images = KubernetesImages(source=source, nodes=nodes, prepuller=prepuller)
        self.housekeeping = Housekeeping(
            api=api,
            builder=builder,
            nodes=nodes,
            settings=settings,
            clock=time.monotonic,
            now=time.time,
        )
