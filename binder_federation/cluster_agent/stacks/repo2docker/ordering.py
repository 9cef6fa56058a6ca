"""From a plan and the agent's settings to the order that a build's process is given.

The Docker and the Kubernetes builder order alike; they differ in how the process is run.
"""

from binder_federation.cluster_agent.core.image_names import (
    image_labels,
    image_reference,
    image_tag,
)
from binder_federation.cluster_agent.stacks.base import BuildPlan
from binder_federation.cluster_agent.stacks.repo2docker.order import BuildOrder, ordered
from binder_federation.config.agent import AgentSettings

MEMBER_LABEL = "org.binder-federation.member"


def image_repository(settings: AgentSettings) -> str:
    """What all images are tags of: the registry's repository, or a name on the engine alone."""
    return settings.registry.repository or f"binderfed/{settings.name}"


def reference_of(plan: BuildPlan, settings: AgentSettings) -> str:
    """What the plan's image is called."""
    return image_reference(image_repository(settings), image_tag(plan.spec, plan.key))


def make_order(
    plan: BuildPlan, *, settings: AgentSettings, buildkit_address: str = ""
) -> BuildOrder:
    """What to build, and where it goes: to the registry, if there is one."""
    making, isolation = settings.build.repo2docker, settings.isolation
    labels = image_labels(plan.spec, plan.resolved_ref).to_mapping()
    push = "no" if not settings.registry.repository else "engine"
    return BuildOrder(
        repository=plan.spec.affinity_key,
        resolved_ref=plan.resolved_ref,
        source=ordered(plan.source),
        providers=settings.providers,
        reference=reference_of(plan, settings),
        labels={**labels, MEMBER_LABEL: settings.name},
        base_image=making.base_image,
        build_args=making.build_args,
        appendix=making.appendix,
        user_id=making.user_id,
        refuse_root=isolation.run_as_non_root and isolation.run_as_user is None,
        buildx_args=making.buildx_args,
        traits=making.traits,
        push="buildkit" if buildkit_address else push,
        buildkit_address=buildkit_address,
        timeout_seconds=settings.build.timeout_seconds,
        push_timeout_seconds=settings.registry.push_timeout_seconds,
        push_stall_seconds=settings.registry.push_stall_seconds,
    )
