"""How busy a BinderHub is, from the check `Pod quota` of its `/health`.

    {"service": "Pod quota", "total_pods": 40, "build_pods": 2, "user_pods": 38, "quota": 90}

Each replica probes by itself, so nothing has to be told to the others. BinderHub counts
its pods once a minute and gives the same numbers until then: these are no news, and what
was sent there since it counted stays added (`core/load.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass

from binder_federation.federation.core.snapshot import Load
from binder_federation.federation.reports import Reports
from binder_federation.federation.roster import Roster
from binder_federation.health.probes import CAPACITY_CHECK, ProbeResult

COUNTED_EVERY_SECONDS = 60.0
"""binderhub/health.py, `at_most_every`."""


def read_load(result: ProbeResult, *, headroom: int) -> Load | None:
    """The load that a probe's answer tells; None where there is no quota, or no such check.

    `headroom` are the places below the quota that are not ours to fill.
    """
    check = next((check for check in result.checks if check.service == CAPACITY_CHECK), None)
    if check is None:
        return None
    quota, pods = check.numbers.get("quota"), check.numbers.get("total_pods")
    if quota is None or pods is None:
        return None
    return Load(
        capacity=max(0, int(quota) - headroom),
        running=max(0, int(pods)),
        building=max(0, int(check.numbers.get("build_pods", 0))),
    )


@dataclass(slots=True)
class _Count:
    load: Load
    since: float
    asked_at: float


class PodCounts:
    """Takes the loads of BinderHubs out of their probes."""

    def __init__(self, *, roster: Roster, reports: Reports, clock: Callable[[], float]) -> None:
        self._roster = roster
        self._reports = reports
        self._clock = clock
        self._counts: dict[str, _Count] = {}

    def observe(self, name: str, result: ProbeResult) -> None:
        """A probe of the member `name` found this."""
        member = self._roster.get(name)
        if member is None or not member.is_binderhub:
            return
        load = read_load(result, headroom=member.pod_headroom)
        if load is not None:
            self._keep(name, load, self._clock())

    def _keep(self, name: str, load: Load, now: float) -> None:
        before = self._counts.get(name)
        if before and before.load == load and now - before.since < COUNTED_EVERY_SECONDS:
            before.asked_at = now
            return
        # It counted at some time after it was last asked: what was sent since may be missing.
        sent_after = before.asked_at if before else now
        self._counts[name] = _Count(load, since=now, asked_at=now)
        self._reports.keep_count(name, load, sent_after=sent_after, now=now)
