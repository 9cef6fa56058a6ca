"""Metrics of what replicas share. Labels are bounded: kinds of commands, never keys."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from binder_federation.federation.shared.breaker import BreakerState


class SharedMetrics:
    """Breaker, commands, outbox, mirror."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._breaker = Gauge(
            "binderfed_redis_breaker_state",
            "1 for the state that the breaker before Redis is in",
            ["state"],
            registry=registry,
        )
        self._up = Gauge(
            "binderfed_redis_up",
            "1 while Redis is asked, 0 while the breaker is open",
            registry=registry,
        )
        self.failed = Counter(
            "binderfed_redis_commands_failed_total",
            "Commands that Redis did not answer in time or at all, by what they were for",
            ["kind"],
            registry=registry,
        )
        self.unreadable = Counter(
            "binderfed_redis_unreadable_total",
            "Values in Redis that were skipped, as they are none of ours, by what they were for",
            ["kind"],
            registry=registry,
        )
        self.outbox_dropped = Counter(
            "binderfed_redis_outbox_dropped_total",
            "Writes and news that were dropped: the outbox was full, or Redis did not take them",
            registry=registry,
        )
        self.lost = Counter(
            "binderfed_redis_lost_total",
            "How often it was noticed that Redis had lost facts, or we had missed news of them",
            ["why"],
            registry=registry,
        )
        self.mirror_lag = Gauge(
            "binderfed_mirror_lag_seconds",
            "How old the last news were when they were read; 0 while nothing is behind",
            registry=registry,
        )
        self.mirror_images = Gauge(
            "binderfed_mirror_images", "Different images that are known", registry=registry
        )
        self.mirror_facts = Gauge(
            "binderfed_mirror_facts", "Images by member that are known", registry=registry
        )
        self.set_breaker(BreakerState.CLOSED)

    def set_breaker(self, state: BreakerState) -> None:
        """Write every state as 0 or 1."""
        for each in BreakerState:
            self._breaker.labels(each.value).set(float(each is state))
        self._up.set(float(state is BreakerState.CLOSED))
