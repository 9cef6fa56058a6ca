"""The stack that the settings name. A stack is imported when it is used: each has its own
dependencies."""

from binder_federation.cluster_agent.stacks.base import Stack, StackNotReady
from binder_federation.config.agent import AgentSettings


def make_stack(settings: AgentSettings) -> Stack:
    """The stack, not started. Raises `StackNotReady` when a package or a tool is missing."""
    try:
        from binder_federation.cluster_agent.stacks.local.stack import LocalStack
    except ImportError as error:
        raise StackNotReady(
            f"The local stack needs the package {error.name}, which is not installed.",
            advice="Install it with: pip install 'binder-federation[local]'",
        ) from error
    return LocalStack(settings=settings)
