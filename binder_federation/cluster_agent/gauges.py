"""What this member is just now, read when Prometheus asks: places, builds, room, disk, version.

What happens is counted in `metrics.py`.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from binder_federation import __version__
from binder_federation.binder.messages import LoadRecord
from binder_federation.runtime.tasks import BackgroundTasks


class AgentGauges(Collector):
    """Makes the gauges anew at each scrape. `load` is what a report would tell now."""

    def __init__(
        self,
        *,
        stack: str,
        state_dir: Path,
        load: Callable[[], LoadRecord],
        is_draining: Callable[[], bool],
        tasks: BackgroundTasks,
    ) -> None:
        self._stack = stack
        self._state_dir = state_dir
        self._load = load
        self._is_draining = is_draining
        self._tasks = tasks

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        load = self._load()
        info = _gauge("build_info", "1, with the version and the stack", "version", "stack")
        info.add_metric([__version__, self._stack], 1.0)
        yield info
        sessions = _gauge("sessions", "Sessions by state", "state")
        for state, count in (
            ("running", load.running),
            ("pending", load.pending),
            ("warm", load.warm),
        ):
            sessions.add_metric([state], count)
        yield sessions
        yield _value("capacity_sessions", "Sessions that fit here now", load.capacity)
        yield _value("builds", "Builds that run or wait for a slot", load.building)
        yield _value("build_slots", "Builds that may run at the same time", load.build_slots)
        yield _value("can_build", "1 while there is room for builds, else 0", load.can_build)
        yield _value(
            "draining",
            "1 while the institution takes no new launches, else 0",
            self._is_draining(),
        )
        yield _value(
            "background_tasks_crashed",
            "Background tasks that ended with an error that nobody expected",
            len(self._tasks.crashed()),
        )
        yield from self._disk()

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering them needs no scrape."""
        return iter(())

    def _disk(self) -> Iterator[Metric]:
        """Of the state folder's file system; without the folder nothing."""
        try:
            usage = shutil.disk_usage(self._state_dir)
        except OSError:
            return
        yield _value("disk_size_bytes", "Size of the file system of the state folder", usage.total)
        yield _value("disk_free_bytes", "What is free of it", usage.free)


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"binderfed_agent_{name}", text, labels=labels)


def _value(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"binderfed_agent_{name}", text, value=value)
