"""What a provider is made of: the parts that every factory is given.

A factory takes `ProviderParts` and gives a `RepoProvider`. The built-in ones are in
`table.py`; another package offers its own through an entry point (`entry_points.py`),
and finds its settings in `own_settings`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from binder_federation.binder.providers.base import RepoProvider
from binder_federation.binder.providers.metrics import ProviderMetrics
from binder_federation.config.providers import ProviderSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderParts:
    """Settings, an HTTP client, metrics and a clock (seconds since 1970)."""

    settings: ProviderSettings
    client: httpx.AsyncClient
    metrics: ProviderMetrics
    clock: Callable[[], float]
    own_settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """`providers.further.<id>`, for a provider of another package."""


ProviderFactory = Callable[[ProviderParts], RepoProvider]
