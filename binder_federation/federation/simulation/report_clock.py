"""When members' reports reach which replica.

With Redis every replica hears of every report. Without, each report reaches one replica,
at random, and is known there alone. Worked out when asked for: most reports of a quiet
member are never looked at.
"""

from binder_federation.federation.simulation.draws import rng_for
from binder_federation.federation.simulation.settings import FleetSettings

JITTER = 0.4
"""Reports are off their beat by up to so much of a period, later."""
DRAWS = 4096


class ReportClock:
    """The reports of all members: numbered, each with its time and the replica it reaches."""

    def __init__(self, settings: FleetSettings, *, seed: int) -> None:
        rng = rng_for(seed, "reports")
        self._every = settings.report_every_seconds
        self._delay = settings.report_delay_seconds
        self._replicas = 1 if settings.has_redis else settings.replicas
        self._offsets = [JITTER * rng.random() for _ in range(DRAWS)]
        self._reached = [rng.randrange(self._replicas) for _ in range(DRAWS)]
        self._back = 1 if settings.has_redis else 4

    def last(self, member: int, replica: int, now: float) -> tuple[float, float]:
        """When the last report that the replica has was made, and when the next one may come.

        The first is minus infinity when none of the last few reached this replica.
        """
        at = now - self._delay
        number = int(at / self._every - self._phase(member))
        next_at = self._time(member, number)
        if next_at > at:  # it is late by its jitter: the one before is the last
            number -= 1
        else:
            next_at = self._time(member, number + 1)
        for back in range(self._back):
            if self._reaches(member, number - back, replica):
                return self._time(member, number - back), next_at + self._delay
        return float("-inf"), next_at + self._delay

    def next_arrival(self, member: int, replica: int, now: float) -> float:
        """When the replica knows what changes at the member now.

        Images that change are reported at once; a replica that this report does not reach
        hears of them with the next one that does.
        """
        number = int(now / self._every - self._phase(member)) + 1
        if self._replicas == 1 or self._reaches(member, -number, replica):
            return now + self._delay
        while not self._reaches(member, number, replica) or self._time(member, number) < now:
            number += 1
        return self._time(member, number) + self._delay

    def _phase(self, member: int) -> float:
        return self._offsets[(member * 37) % DRAWS] / JITTER

    def _time(self, member: int, number: int) -> float:
        offset = self._offsets[(member * 131 + number) % DRAWS]
        return (number + self._phase(member) + offset) * self._every

    def _reaches(self, member: int, number: int, replica: int) -> bool:
        return self._replicas == 1 or self._reached[(member * 197 + number) % DRAWS] == replica
