"""The checks behind this member's `/health`, and the same for its reports.

`Pod quota` keeps BinderHub's name and fields, because the federations that read
it look for them; being full makes a member neither unwell nor a failure.
"""

from collections.abc import Sequence
from typing import Any

from binder_federation.binder.messages import CheckRecord
from binder_federation.cluster_agent.builds import Builds
from binder_federation.cluster_agent.sessions import Sessions
from binder_federation.cluster_agent.stacks.base import Stack
from binder_federation.health.checks import Check, HealthChecks, Outcome
from binder_federation.runtime.tasks import BackgroundTasks

CACHE_SECONDS = 3.0


def make_checks(
    *,
    stack: Stack,
    sessions: Sessions,
    builds: Builds,
    tasks: BackgroundTasks,
    membership: Check | None = None,
) -> HealthChecks:
    """What is checked, in the order in which it is shown. `membership`: of one that joins."""

    async def parts() -> Sequence[Outcome]:
        return [record.model_dump() for record in await stack.checks()]

    async def background_tasks() -> Outcome:
        crashed = tasks.crashed()
        return {"ok": not crashed, "crashed": sorted(crashed)}

    async def sessions_known() -> Outcome:
        return {"ok": sessions.is_current}

    async def quota() -> Outcome:
        return _quota_outcome(sessions, builds)

    return HealthChecks(
        {
            "Stack": parts,
            "Background tasks": background_tasks,
            "Session list": sessions_known,
            "Pod quota": quota,
            **({"Membership": membership} if membership else {}),
        },
        cache_seconds=CACHE_SECONDS,
    )


async def check_records(checks: HealthChecks) -> tuple[CheckRecord, ...]:
    """The checks that count, for a report."""
    answer = await checks.run()
    return tuple(
        CheckRecord(
            service=check["service"], ok=check["ok"], message=str(check.get("message", ""))[:500]
        )
        for check in answer.checks
        if not check.get("_ignore_failure")
    )


def _quota_outcome(sessions: Sessions, builds: Builds) -> dict[str, Any]:
    total, quota = sessions.usage().total, sessions.capacity
    return {
        "ok": total < quota,
        "total_pods": total + builds.building,
        "build_pods": builds.building,
        "user_pods": total,
        "quota": quota,
        "_ignore_failure": True,
    }
