"""What one user's server gets of the machine, and which repositories get something else."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from binder_federation.config.providers import Section

_BYTES = re.compile(r"[0-9]+(\.[0-9]+)?[KMGT]?")


def _is_bytes(value: str) -> str:
    if value and not _BYTES.fullmatch(value):
        raise ValueError("a number of bytes such as 512M or 2G is expected")
    return value


def _is_pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"it is no regular expression: {error}") from error
    return value


Bytes = Annotated[str, AfterValidator(_is_bytes)]
Pattern = Annotated[str, AfterValidator(_is_pattern)]
Cores = Annotated[float, Field(gt=0)]


class ResourceSettings(Section):
    """Guarantees (Kubernetes: requests) and limits of one server. Bytes as `512M` or `2G`."""

    cpu_guarantee: Cores | None = None
    cpu_limit: Cores | None = None
    memory_guarantee: Bytes = "450M"
    memory_limit: Bytes = "2G"


class PatternSettings(Section):
    """What repositories whose affinity key matches `pattern` get instead.

    The key is `<provider>/<repository>` in lower case, such as `gh/owner/name`; the whole of
    it must match. Of several patterns that match, later ones win, setting by setting.
    """

    pattern: Pattern
    cpu_guarantee: Cores | None = None
    cpu_limit: Cores | None = None
    memory_guarantee: Bytes | None = None
    memory_limit: Bytes | None = None
    sessions_per_repository: Annotated[int, Field(ge=0)] | None = None


_HUB_NAMES = {
    "memory_limit": "mem_limit",
    "memory_guarantee": "mem_guarantee",
    "cpu_limit": "cpu_limit",
    "cpu_guarantee": "cpu_guarantee",
}
"""Ours, and JupyterHub's."""


def server_limits(patterns: Sequence[PatternSettings], repository: str) -> dict[str, Any]:
    """What a server of `repository` gets other than usual, by JupyterHub's names."""
    found = settings_for(patterns, repository)
    return {_HUB_NAMES[name]: value for name, value in found.items() if name in _HUB_NAMES}


def settings_for(patterns: Sequence[PatternSettings], repository: str) -> dict[str, Any]:
    """What the patterns say of `repository` (its affinity key): name → value, only what is set."""
    found: dict[str, Any] = {}
    for each in patterns:
        if re.fullmatch(each.pattern, repository):
            found |= each.model_dump(exclude={"pattern"}, exclude_none=True)
    return found
