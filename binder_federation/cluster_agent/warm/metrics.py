"""What is counted of warm servers, for Prometheus; no label is a repository's."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from binder_federation.cluster_agent.core.warm_plan import Waste

_AGE_BUCKETS = (5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, float("inf"))


class WarmMetrics:
    """The series of one pool."""

    def __init__(self, registry: CollectorRegistry) -> None:
        name = "binderfed_agent_warm"
        self.launches = Counter(
            f"{name}_launches_total",
            "Launches: a warm server was there (hit), was not (miss), or is not wanted (cold)",
            ("outcome",),
            registry=registry,
        )
        self.servers = Gauge(
            f"{name}_servers", "Warm servers by state", ("state",), registry=registry
        )
        self.wanted = Gauge(
            f"{name}_servers_wanted", "Warm servers that there should be", registry=registry
        )
        self.started = Counter(f"{name}_started_total", "Warm servers begun", registry=registry)
        self.wasted = Counter(
            f"{name}_wasted_total",
            "Warm servers that were removed unused, by reason",
            ("reason",),
            registry=registry,
        )
        self.age_seconds = Histogram(
            f"{name}_age_seconds",
            "How long servers had waited when they were handed out",
            registry=registry,
            buckets=_AGE_BUCKETS,
        )
        for outcome in ("hit", "miss", "cold"):
            self.launches.labels(outcome)
        for reason in Waste:
            self.wasted.labels(reason.value)
