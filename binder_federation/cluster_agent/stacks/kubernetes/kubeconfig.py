"""A kubeconfig file for the managed hub, where the agent uses a context that is not current.

KubeSpawner always takes the current context. The copy is as private as the original.
"""

import os
from pathlib import Path

import yaml

from binder_federation.cluster_agent.stacks.base import StackNotReady


def write_kubeconfig(path: Path, *, context: str) -> Path:
    """Copy KUBECONFIG (or `~/.kube/config`) to `path` with `context` as the current one.

    Raises `StackNotReady` when it cannot be read.
    """
    source = Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")
    try:
        content = yaml.safe_load(source.read_text(encoding="utf-8"))
        content["current-context"] = context
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yaml.safe_dump(content, file)
    except (OSError, TypeError, yaml.YAMLError) as error:
        raise StackNotReady(
            f"The kubeconfig file {source} cannot be read.",
            advice="Set KUBECONFIG to one file, or unset kubernetes.context.",
        ) from error
    return path
