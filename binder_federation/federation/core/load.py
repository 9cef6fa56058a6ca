"""How busy a member is now, when its last word is some seconds old.

Raw least-loaded on stale load herds: everybody goes to whoever was free a while ago.
So what was sent there since is added, by every replica, and what is likely to have
ended since is taken off.
"""

from math import exp

from binder_federation.federation.core.snapshot import Load


def estimate_load(reported: Load, *, sent: int, age_seconds: float, session_seconds: float) -> Load:
    """The load now, from a report that is `age_seconds` old.

    `sent` are the launches that were decided for the member since, by all replicas.
    Sessions last `session_seconds` in the mean, and end at random.
    """
    stayed = exp(-max(0.0, age_seconds) / session_seconds)
    return Load(
        capacity=reported.capacity,
        running=round(reported.running * stayed),
        pending=reported.pending + sent,
        building=reported.building,
        build_slots=reported.build_slots,
        warm=reported.warm,
        can_build=reported.can_build,
    )
