"""What is counted about providers. Labels are bounded: no repository names."""

from dataclasses import dataclass
from typing import Self

from prometheus_client import CollectorRegistry, Gauge


@dataclass(frozen=True, slots=True)
class ProviderMetrics:
    """Metrics of one service's providers, in the registry that they were made for."""

    requests_left: Gauge

    @classmethod
    def make(cls, registry: CollectorRegistry) -> Self:
        """The metrics, registered in `registry`."""
        return cls(
            requests_left=Gauge(
                "binderfed_provider_rate_limit_remaining",
                "Requests that a provider's API, if it tells, still takes from us in this window.",
                ["provider"],
                registry=registry,
            ),
        )

    def observe_requests_left(self, provider: str, remaining: float) -> None:
        """A provider (by its id) said what is left of our quota."""
        self.requests_left.labels(provider=provider).set(remaining)
