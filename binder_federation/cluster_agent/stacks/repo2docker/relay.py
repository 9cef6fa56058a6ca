"""Passes on what a build's process tells (`output.py`) to whoever watches the build."""

from collections.abc import Mapping
from typing import Any

from binder_federation.binder.events import Phase
from binder_federation.cluster_agent.stacks.base import BuildProgress
from binder_federation.cluster_agent.stacks.repo2docker.output import Line

_ENTERED = (Phase.FETCHING, Phase.BUILDING, Phase.PUSHING)


def relay(line: Line, progress: BuildProgress) -> None:
    """Show `line`; not the last one, which is for the builder to judge."""
    if line.phase in _ENTERED:
        message = line.message or _describe(line.fields.get("progress"))
        if message:
            progress.enter(line.phase, message)
    elif line.phase is None and line.message:
        progress.log(line.message)


def _describe(progress: Any) -> str:
    """`Pushing: 4 of 9 layers, 52 of 93 MB`."""
    if not isinstance(progress, Mapping):
        return ""
    numbers = [_number(progress, name) for name in ("done", "layers", "bytes", "total_bytes")]
    done, layers, sent, total = numbers
    return f"Pushing: {done} of {layers} layers, {sent / 1e6:.0f} of {total / 1e6:.0f} MB"


def _number(progress: Mapping[str, Any], name: str) -> int:
    value = progress.get(name)
    return int(value) if isinstance(value, int | float) else 0
