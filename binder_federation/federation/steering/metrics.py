"""What Prometheus sees of the live orders: which revision is in force, and how sure that is."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from binder_federation.federation.steering.steering import Steering


class SteeringMetrics(Collector):
    """Asked anew at each scrape."""

    def __init__(self, steering: Steering) -> None:
        self._steering = steering

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        yield GaugeMetricFamily(
            "binderfed_steering_revision",
            "The revision of the live orders that are in force here: the same on all replicas",
            value=self._steering.current.revision,
        )
        yield GaugeMetricFamily(
            "binderfed_steering_stale_seconds",
            "Seconds since the store last said that these live orders are the newest",
            value=max(0.0, self._steering.stale_seconds()),
        )

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering them needs no scrape."""
        return iter(())
