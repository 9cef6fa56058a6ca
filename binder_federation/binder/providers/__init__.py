"""The repo providers of this service, by their id: those of `table.py`, and of other packages."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import httpx
from prometheus_client import CollectorRegistry

from binder_federation.binder.errors import InvalidSpec
from binder_federation.binder.providers.base import RepoProvider
from binder_federation.binder.providers.entry_points import find_factory, make_further
from binder_federation.binder.providers.git_access import make_git_access
from binder_federation.binder.providers.metrics import ProviderMetrics
from binder_federation.binder.providers.parts import ProviderFactory, ProviderParts
from binder_federation.binder.providers.table import BUILT_IN
from binder_federation.binder.providers.text import decode_once, shown
from binder_federation.binder.spec import LaunchSpec, split_path
from binder_federation.config.load import ConfigurationError
from binder_federation.config.providers import ProviderSettings

__all__ = [
    "BUILT_IN",
    "ProviderFactory",
    "ProviderMetrics",
    "ProviderParts",
    "RepoProvider",
    "Repositories",
    "make_git_access",
    "make_providers",
    "parse_launch_path",
]

Providers = Mapping[str, RepoProvider]

REMEMBERED_LINKS = 8192


def make_providers(
    settings: ProviderSettings,
    client: httpx.AsyncClient,
    *,
    metrics: ProviderMetrics | None = None,
    clock: Callable[[], float] = time.time,
) -> Providers:
    """The enabled providers, by their id, in the order in which the home page offers them.

    `clock` is in seconds since 1970. Without `metrics` nothing that is counted is shown.
    Raises `ConfigurationError` when one cannot be made.
    """
    parts = ProviderParts(
        settings=settings,
        client=client,
        metrics=metrics or ProviderMetrics.make(CollectorRegistry()),
        clock=clock,
    )
    return {name: _make_provider(name, parts) for name in _enabled(settings)}


def _enabled(settings: ProviderSettings) -> Sequence[str]:
    enabled = tuple(BUILT_IN) if settings.enabled is None else settings.enabled
    for name in settings.further:
        if name in BUILT_IN or name not in enabled:
            raise ConfigurationError(
                f"providers.further.{name}: there is no provider {name} of another package "
                "in providers.enabled."
            )
    return enabled


def _make_provider(name: str, parts: ProviderParts) -> RepoProvider:
    factory = find_factory(name, BUILT_IN)
    if name in BUILT_IN:
        return factory(parts)
    own_settings = parts.settings.further.get(name, {})
    return make_further(name, factory, replace(parts, own_settings=own_settings))


def parse_launch_path(providers: Providers, raw_path: str) -> LaunchSpec:
    """The spec in `<provider>/<spec>`, still percent-encoded. `InvalidSpec` says what is wrong."""
    provider_id, raw_spec = split_path(raw_path)
    provider = providers.get(provider_id)
    if provider is None:
        known = ", ".join(providers)
        raise InvalidSpec(
            f"There is no provider “{shown(decode_once(provider_id), 40)}”.",
            advice=f"Providers here: {known}. A link looks like /v2/gh/owner/repository/HEAD.",
        )
    spec = provider.parse(raw_spec)
    # As written anew, for a member, it may be longer: what was plain is encoded.
    split_path(f"{provider_id}/{provider.format(spec)}")
    return spec


class Repositories:
    """The providers together: from a launch path to a spec, and from a spec to its addresses."""

    def __init__(self, providers: Providers) -> None:
        self.providers = providers
        # The same links come again and again; what is refused is not remembered.
        self._parse = lru_cache(maxsize=REMEMBERED_LINKS)(self._parse_anew)

    def parse(self, raw_path: str) -> LaunchSpec:
        """The spec in `<provider>/<spec>`; raises `InvalidSpec`, or `SpecBanned`."""
        return self._parse(raw_path)

    def _parse_anew(self, raw_path: str) -> LaunchSpec:
        spec = parse_launch_path(self.providers, raw_path)
        self.providers[spec.provider].check(spec)
        return spec

    def format(self, spec: LaunchSpec) -> str:
        """The percent-encoded path after `<provider>/`."""
        return self.providers[spec.provider].format(spec)

    def repository_url(self, spec: LaunchSpec) -> str:
        """The repository's address for people."""
        return self.providers[spec.provider].repository_url(spec)

    def ref_url(self, spec: LaunchSpec, resolved_ref: str) -> str:
        """The address of its content at `resolved_ref`, for people."""
        return self.providers[spec.provider].ref_url(spec, resolved_ref)

    def displays(self) -> list[Mapping[str, Any]]:
        """What the home page needs to know of each provider."""
        return [provider.display for provider in self.providers.values()]
