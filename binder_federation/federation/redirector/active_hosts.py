"""The members that get launches now, in the words of mybinder.org's redirector.

    {"active_hosts": {"gke": {"url": "https://…", "weight": 4, "health": "https://…/health",
                              "versions": "https://…/versions"}}}

Its status pages read that. A member is in it while a launch could go there: well, not
draining, not full.
"""

from collections.abc import Mapping
from typing import Any

from binder_federation.config.federation import HealthSettings
from binder_federation.federation.core.eligible import eligible
from binder_federation.federation.core.snapshot import Fleet
from binder_federation.federation.roster import Roster


def active_hosts(
    roster: Roster, fleet: Fleet, *, now: float, settings: HealthSettings
) -> Mapping[str, Mapping[str, Any]]:
    """The answer's `active_hosts`, in the roster's order."""
    names = {member.name for member in eligible(fleet, now=now, settings=settings).members}
    return {
        member.name: {
            "url": member.public_url,
            "weight": _whole(member.weight),
            "health": f"{member.public_url}/health",
            "versions": f"{member.public_url}/versions",
        }
        for member in roster
        if member.name in names
    }


def _whole(weight: float) -> float:
    """The redirector's weights are whole numbers."""
    return int(weight) if weight == int(weight) else weight
