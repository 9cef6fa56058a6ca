"""What is counted about providers. Labels are bounded: no repository names."""

from dataclasses import dataclass
from typing import Self

from prometheus_client import CollectorRegistry, Gauge


@dataclass(frozen=True, slots=True)
class ProviderMetrics:
    """Metrics of one service's providers, in the registry that they were made for."""

    github_rate_limit_remaining: Gauge

    @classmethod
    def make(cls, registry: CollectorRegistry) -> Self:
        """The metrics, registered in `registry`."""
        return cls(
            github_rate_limit_remaining=Gauge(
                "binderfed_github_rate_limit_remaining",
                "Requests that GitHub's API still takes from us in this window.",
                registry=registry,
            ),
        )
