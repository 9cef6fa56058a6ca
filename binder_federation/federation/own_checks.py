"""The federation's own health: are its tasks alive, and can it send launches anywhere?

That all members are down is said, but does not make the router unwell: it still
serves its pages, and restarting it would help nobody. Neither does a suspicion that
our own network is at fault, while there is nobody to ask. But where the other
replicas see well most of what fails here, this one says that it is not well, and its
load balancer uses the others. By the rule that confirms it (health/suspicion.py) that
can never be all replicas.
"""

from typing import Any

from binder_federation.federation.roster import Roster
from binder_federation.health.checks import HealthChecks
from binder_federation.health.monitor import HealthMonitor
from binder_federation.runtime.tasks import BackgroundTasks


def make_own_checks(
    *, roster: Roster, monitor: HealthMonitor, tasks: BackgroundTasks
) -> HealthChecks:
    """The checks behind `/health`."""

    async def background_tasks() -> dict[str, Any]:
        crashed = tasks.crashed()
        return {"ok": not crashed, "crashed": sorted(crashed)}

    async def members() -> dict[str, Any]:
        healths = [monitor.health(member.name) for member in roster]
        well = sum(health.state.is_well and not health.is_ejected for health in healths)
        return {
            "ok": well > 0,
            "well": well,
            "ejected": sum(health.is_ejected for health in healths),
            "members": len(roster),
            "_ignore_failure": True,
        }

    async def own_network() -> dict[str, Any]:
        return describe_suspicion(monitor)

    return HealthChecks(
        {"Background tasks": background_tasks, "Own network": own_network, "Members": members},
        cache_seconds=1.0,
    )


def describe_suspicion(monitor: HealthMonitor) -> dict[str, Any]:
    """The check `Own network`: whether this replica takes itself for the one that fails."""
    suspicion = monitor.suspicion()
    if not suspicion.is_suspected:
        return {"ok": True}
    said = "Most members fail at once for this replica"
    if suspicion.is_confirmed:
        return {"ok": False, "message": f"{said}; the other replicas see them well."}
    return {
        "ok": False,
        "message": f"{said}; no other replica says that it is the members.",
        "_ignore_failure": True,
    }
