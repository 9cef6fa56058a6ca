"""The metrics of mybinder.org's redirector, under its names, so that its dashboards go on.

    federation_health{member, reason}          1 well, 0 not
    federation_health_check{member, check}     its own checks, and `versions`
    federation_redirect_count{member, reason}  launches sent there

They are made from what is known when somebody asks, so nothing is left behind: a member has
one series with an empty reason, 1 or 0, and while it is not well a second one, 0, which names
the reason. `min`, `max` and `sum` over a member all tell the same. The redirector leaves a
series 1 for ever.

`federation_redirect_count` only grows, but has the redirector's name, which is none of a
counter, and no type; `rate()` and `increase()` work, and the replicas' add up. The same is
`binderfed_decisions_total`.
"""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, UnknownMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from binder_federation.federation.metrics import FederationMetrics
from binder_federation.federation.roster import Roster
from binder_federation.health.monitor import HealthMonitor
from binder_federation.health.state import Health

VERSIONS_CHECK = "versions"


class RedirectorMetrics(Collector):
    """Makes the three metrics anew at each scrape."""

    def __init__(
        self, *, roster: Roster, monitor: HealthMonitor, metrics: FederationMetrics
    ) -> None:
        self._roster = roster
        self._monitor = monitor
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        yield self._health()
        yield self._checks()
        yield self._redirects()

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering them needs no scrape."""
        return iter(())

    def _health(self) -> Metric:
        family = GaugeMetricFamily(
            "federation_health", "1 for a member that is well, 0 with the reason", labels=_REASON
        )
        for member in self._roster:
            reason = find_reason(self._monitor.health(member.name))
            family.add_metric([member.name, ""], 0.0 if reason else 1.0)
            if reason:
                family.add_metric([member.name, reason], 0.0)
        return family

    def _checks(self) -> Metric:
        family = GaugeMetricFamily(
            "federation_health_check", "A member's own checks: 1 passes, 0 fails", labels=_CHECK
        )
        for member in self._roster:
            result = self._monitor.last_result(member.name)
            if result is None:
                continue
            checks = {check.service: check.ok for check in result.checks}
            checks[VERSIONS_CHECK] = result.versions is not None
            for check, ok in checks.items():
                family.add_metric([member.name, check], float(ok))
        return family

    def _redirects(self) -> Metric:
        family = UnknownMetricFamily(
            "federation_redirect_count", "Launches sent to a member", labels=_REASON
        )
        for member, reason, count in self._metrics.decisions():
            family.add_metric([member, reason], count)
        return family


_REASON = ("member", "reason")
_CHECK = ("member", "check")


def find_reason(health: Health) -> str:
    """Why a member is not well, as the redirector names it: the check's own name; else ""."""
    if health.is_ejected:
        return "ejected"
    if health.probed.is_well:
        return ""
    return health.reason.removeprefix("check:") or "unknown"
