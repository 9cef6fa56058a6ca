"""What this replica is just now, read when Prometheus asks: quotas, panic, tasks, version."""

from collections.abc import Callable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from binder_federation import __version__
from binder_federation.config.federation import HealthSettings
from binder_federation.federation.core.eligible import eligible
from binder_federation.federation.fleet import FleetView
from binder_federation.federation.limits.wiring import Limits
from binder_federation.runtime.tasks import BackgroundTasks

MOST_QUOTAS = 500
_KIND = ("kind",)
_QUOTA = ("quota", "kind")


class ReplicaMetrics(Collector):
    """Makes the replica's own gauges anew at each scrape."""

    def __init__(
        self,
        *,
        fleet: FleetView,
        limits: Limits,
        health_settings: HealthSettings,
        tasks: BackgroundTasks,
        clock: Callable[[], float],
    ) -> None:
        self._fleet = fleet
        self._limits = limits
        self._health_settings = health_settings
        self._tasks = tasks
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        now = self._clock()
        info = GaugeMetricFamily("binderfed_build_info", "1, with the version", labels=("version",))
        info.add_metric([__version__], 1.0)
        yield info
        yield from self._members(now)
        yield self._quota()
        yield self._event_quotas(now)
        yield GaugeMetricFamily(
            "binderfed_background_tasks_crashed",
            "Background tasks that ended with an error that nobody expected",
            value=len(self._tasks.crashed()),
        )

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering them needs no scrape."""
        return iter(())

    def _members(self, now: float) -> Iterator[Metric]:
        found = eligible(self._fleet.snapshot(now=now), now=now, settings=self._health_settings)
        yield GaugeMetricFamily(
            "binderfed_eligible_members",
            "Members that may receive a launch now",
            value=len(found.members),
        )
        yield GaugeMetricFamily(
            "binderfed_panic",
            "1 while health is disregarded, as too few members are well, else 0",
            value=float(found.is_panic),
        )

    def _quota(self) -> Metric:
        family = GaugeMetricFamily(
            "binderfed_quota_sessions",
            "Sessions at all members, and how many there may be, if that is limited",
            labels=_KIND,
        )
        family.add_metric(["used"], self._limits.sessions.total)
        limit = self._limits.policy.quotas.sessions
        if limit is not None:
            family.add_metric(["limit"], limit)
        return family

    def _event_quotas(self, now: float) -> Metric:
        family = GaugeMetricFamily(
            "binderfed_event_quota_sessions",
            "Sessions that count for a quota of certain repositories in force (of the one that has "
            "most, where it is for each of them), and how many there may be",
            labels=_QUOTA,
        )
        rules = self._limits.quotas.in_force(now=now)[:MOST_QUOTAS]
        # Of two with one label (a pattern) the last one counts, and a series is there once.
        for rule in {each.label: each for each in rules}.values():
            family.add_metric([rule.label, "used"], rule.used)
            family.add_metric([rule.label, "limit"], rule.limit)
        return family
