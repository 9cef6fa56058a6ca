"""Whether what an agent made on an engine still has an owner: an agent that holds its folder."""

from pathlib import Path

from binder_federation.cluster_agent.stacks.base import StackNotReady
from binder_federation.cluster_agent.stacks.local.machine import lock_folder


def is_held(folder: Path) -> bool:
    """Whether an agent uses the state folder now."""
    if not (folder / "lock").is_file():
        return False
    try:
        lock_folder(folder).close()
    except StackNotReady:
        return True
    return False
