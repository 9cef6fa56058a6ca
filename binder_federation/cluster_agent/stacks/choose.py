"""The stack that the settings name. A stack is imported when it is used: each has its own
dependencies."""

import importlib

from binder_federation.cluster_agent.stacks.base import Stack, StackNotReady
from binder_federation.config.agent import AgentSettings

_CLASSES = {"local": "LocalStack", "docker": "DockerStack", "kubernetes": "KubernetesStack"}


def make_stack(settings: AgentSettings) -> Stack:
    """The stack, not started. Raises `StackNotReady` when a package or a tool is missing."""
    name = settings.stack
    try:
        module = importlib.import_module(f"binder_federation.cluster_agent.stacks.{name}.stack")
    except ImportError as error:
        raise StackNotReady(
            f"The stack {name!r} needs the package {error.name}, which is not installed.",
            advice=f"Install it with: pip install 'binder-federation[{name}]'",
        ) from error
    stack: Stack = getattr(module, _CLASSES[name])(settings=settings)
    return stack
