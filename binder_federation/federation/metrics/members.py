"""What each member is just now, read when Prometheus asks: nothing is left behind of one that
is gone, and a member whose last report is too old has no series of its load at all.

Its states, checks and ejections are counted where they change (`health/metrics.py`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from binder_federation.federation.core.snapshot import Load
from binder_federation.federation.fleet import FleetView
from binder_federation.federation.locality.contract import LocalityStore
from binder_federation.federation.reports import Reports
from binder_federation.federation.roster import Member, Roster
from binder_federation.health.monitor import HealthMonitor

MOST_VERSION_CHARACTERS = 64


class _Gauge(GaugeMetricFamily):
    def __init__(self, name: str, text: str, *labels: str) -> None:
        super().__init__(f"binderfed_member_{name}", text, labels=("member", *labels))

    def put(self, value: float, *labels: str) -> None:
        self.add_metric(labels, value)


@dataclass(frozen=True, slots=True)
class _Families:
    info: _Gauge
    weight: _Gauge
    effective_weight: _Gauge
    sessions: _Gauge
    capacity: _Gauge
    builds: _Gauge
    build_slots: _Gauge
    images: _Gauge
    report_age: _Gauge
    tls_not_after: _Gauge


def _make_families() -> _Families:
    return _Families(
        info=_Gauge("info", "1, with the member's kind and version", "kind", "version"),
        weight=_Gauge("weight", "The share that is configured"),
        effective_weight=_Gauge("effective_weight", "The share after slow start"),
        sessions=_Gauge(
            "sessions",
            "Sessions that run, that start (launches sent there since its report are added), and "
            "warm servers that wait",
            "kind",
        ),
        capacity=_Gauge("capacity", "Sessions that the member takes"),
        builds=_Gauge("builds", "Builds that run or wait"),
        build_slots=_Gauge("build_slots", "Builds that may run at the same time"),
        images=_Gauge("images", "Images that the member is known to hold"),
        report_age=_Gauge(
            "report_age_seconds",
            "Seconds since the member's last report, or since a BinderHub's pods were counted",
        ),
        tls_not_after=_Gauge(
            "tls_not_after_timestamp_seconds",
            "When the certificate ends that the member showed to the last probe",
        ),
    )


class MemberMetrics(Collector):
    """Makes the members' gauges anew at each scrape."""

    def __init__(
        self,
        *,
        roster: Roster,
        monitor: HealthMonitor,
        reports: Reports,
        fleet: FleetView,
        store: LocalityStore,
        clock: Callable[[], float],
    ) -> None:
        self._roster = roster
        self._monitor = monitor
        self._reports = reports
        self._fleet = fleet
        self._store = store
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        now = self._clock()
        families = _make_families()
        for member in self._roster:
            self._tell(families, member, now)
        for each in fields(families):
            yield getattr(families, each.name)

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering them needs no scrape."""
        return iter(())

    def _tell(self, families: _Families, member: Member, now: float) -> None:
        name = member.name
        result = self._monitor.last_result(name)
        versions = (result.versions if result else None) or {}
        version = str(versions.get("binder-federation") or versions.get("binderhub") or "")
        families.info.put(1.0, name, member.kind.value, version[:MOST_VERSION_CHARACTERS])
        families.weight.put(member.weight, name)
        families.effective_weight.put(self._fleet.effective_weight(member, now=now), name)
        families.images.put(self._store.known_images(name), name)
        if result is not None and result.tls_not_after is not None:
            families.tls_not_after.put(result.tls_not_after, name)
        if (age_seconds := self._reports.age_seconds(name, now=now)) is not None:
            families.report_age.put(age_seconds, name)
        if (load := self._reports.load(name, now=now)) is not None:
            _tell_load(families, name, load)


def _tell_load(families: _Families, name: str, load: Load) -> None:
    families.sessions.put(load.running, name, "running")
    families.sessions.put(load.pending, name, "pending")
    families.sessions.put(load.warm, name, "warm")
    families.capacity.put(load.capacity, name)
    families.builds.put(load.building, name)
    families.build_slots.put(load.build_slots, name)
