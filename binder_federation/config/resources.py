"""What one user's server gets of the machine, and which repositories get something else."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field

from binder_federation.config.providers import Seconds, Section

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


def _with_zone(value: datetime) -> datetime:
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_with_zone)]
"""A date and time; UTC when it names no zone."""
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

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    pattern: Pattern
    cpu_guarantee: Cores | None = None
    cpu_limit: Cores | None = None
    memory_guarantee: Bytes | None = None
    memory_limit: Bytes | None = None
    sessions_per_repository: Annotated[int, Field(ge=0)] | None = None
    cull_idle_seconds: Seconds | None = None
    max_age_seconds: Seconds | None = None
    begins_at: Annotated[Moment | None, Field(alias="from")] = None
    """It holds from then on, for an event."""
    ends_at: Annotated[Moment | None, Field(alias="until")] = None

    def holds(self, now: datetime) -> bool:
        """Whether `now` is within its time."""
        has_begun = self.begins_at is None or self.begins_at <= now
        return has_begun and (self.ends_at is None or now < self.ends_at)


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
    """What the patterns say of `repository` (its affinity key) now: name → value, only what is
    set."""
    found: dict[str, Any] = {}
    now = datetime.now(UTC)
    for each in patterns:
        if each.holds(now) and re.fullmatch(each.pattern, repository):
            found |= each.model_dump(exclude={"pattern", "begins_at", "ends_at"}, exclude_none=True)
    return found
