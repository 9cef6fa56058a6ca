"""What this member counts and times, for Prometheus, and what it takes on average.

No label is a repository's or a visitor's: the number of series stays bounded.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from binder_federation.binder.messages import EstimateRecord
from binder_federation.cluster_agent.core.averages import Average, observe_seconds
from binder_federation.runtime.errors import ServiceError

_LAUNCH_BUCKETS = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, float("inf"))
_BUILD_BUCKETS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, float("inf"))


class AgentMetrics:
    """The series of one agent, in a registry of their own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._build_average = Average()
        self._spawn_average = Average()
        self.builds = self._counter("builds_total", "Builds by how they ended", "outcome")
        self.build_seconds = self._histogram("build_seconds", "Build durations", _BUILD_BUCKETS)
        self.launches = self._counter("launches_total", "Launches by how they ended", "outcome")
        self.spawn_seconds = self._histogram(
            "spawn_seconds", "From the hub's user to a server that answers", _LAUNCH_BUCKETS
        )
        self.builds_in_flight = self._gauge("builds_in_flight", "Builds that hold a slot")
        self.launches_in_flight = self._gauge("launches_in_flight", "Event streams of launches")
        self.images = self._gauge("images", "Images held")
        self.report_failures = self._counter(
            "report_failures_total", "Reports that the federation did not take", "reason"
        )
        self.removals = self._counter(
            "hub_removals_total", "Users removed from the hub, by how it ended", "outcome"
        )

        self.culled = self._counter(
            "servers_culled_total", "Sessions that were ended, by why: idle or too_old", "reason"
        )

        self._hub_failures = self._counter(
            "hub_request_failures_total",
            "Requests to the hub that it did not take, by reason: unreachable, 4xx or 5xx",
            "reason",
        )

    def count_hub_failure(self, status: int | None) -> None:
        """The hub answered a request with `status`, or (None) not at all."""
        self._hub_failures.labels("unreachable" if status is None else f"{status // 100}xx").inc()

    def estimates(self) -> EstimateRecord:
        """What a server's start and a build take here, from experience."""
        return EstimateRecord(
            spawn_seconds=self._spawn_average.seconds, build_seconds=self._build_average.seconds
        )

    @contextmanager
    def observe_build(self) -> Iterator[None]:
        """Count and time the build in the block; only a success teaches its duration."""
        with self.builds_in_flight.track_inprogress(), _outcome(self.builds) as started:
            yield
        seconds = time.monotonic() - started
        self.build_seconds.observe(seconds)
        self._build_average = observe_seconds(self._build_average, seconds)

    @contextmanager
    def observe_spawn(self) -> Iterator[None]:
        """Time the start of a server in the block, if it succeeds."""
        started = time.monotonic()
        yield
        seconds = time.monotonic() - started
        self.spawn_seconds.observe(seconds)
        self._spawn_average = observe_seconds(self._spawn_average, seconds)

    @contextmanager
    def observe_launch(self) -> Iterator[None]:
        """Count the launch in the block."""
        with self.launches_in_flight.track_inprogress(), _outcome(self.launches):
            yield

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"binderfed_agent_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"binderfed_agent_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"binderfed_agent_{name}", text, registry=self.registry, buckets=buckets)


@contextmanager
def _outcome(counter: Counter) -> Iterator[float]:
    """Yield the start; count `success`, an error's code, `cancelled` or `crashed`."""
    try:
        yield time.monotonic()
    except ServiceError as error:
        counter.labels(error.code).inc()
        raise
    except Exception:
        counter.labels("crashed").inc()
        raise
    except BaseException:
        counter.labels("cancelled").inc()
        raise
    counter.labels("success").inc()
