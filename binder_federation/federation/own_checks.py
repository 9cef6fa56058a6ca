"""The federation's own health: are its tasks alive, and can it send launches anywhere?

That all members are down is said, but does not make the router unwell: it still
serves its pages, and restarting it would help nobody.
"""

from typing import Any

from binder_federation.federation.roster import Roster
from binder_federation.health.checks import HealthChecks
from binder_federation.health.monitor import HealthMonitor
from binder_federation.health.state import MemberState
from binder_federation.runtime.tasks import BackgroundTasks

_WELL = frozenset({MemberState.UP, MemberState.DEGRADED, MemberState.RECOVERING})


def make_own_checks(
    *, roster: Roster, monitor: HealthMonitor, tasks: BackgroundTasks
) -> HealthChecks:
    """The checks behind `/health`."""

    async def background_tasks() -> dict[str, Any]:
        crashed = tasks.crashed()
        return {"ok": not crashed, "crashed": sorted(crashed)}

    async def members() -> dict[str, Any]:
        well = [m.name for m in roster if monitor.health(m.name).state in _WELL]
        return {
            "ok": bool(well),
            "well": len(well),
            "members": len(roster),
            "_ignore_failure": True,
        }

    return HealthChecks(
        {"Background tasks": background_tasks, "Members": members}, cache_seconds=1.0
    )
