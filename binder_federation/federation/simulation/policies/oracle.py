"""A greedy oracle: it knows the true state of every member, and takes the least time.

It minds this launch only; what that costs later ones it does not see, so it is no bound.
"""

from collections.abc import Sequence

from binder_federation.federation.core.rendezvous import score
from binder_federation.federation.simulation.launch import Launch
from binder_federation.federation.simulation.member import SimMember
from binder_federation.federation.simulation.policies.contract import Policy
from binder_federation.federation.simulation.spawning import spawn_factor
from binder_federation.federation.simulation.world import World


class OraclePolicy(Policy):
    """The least true time to ready; of equals (to the millisecond), the best rank."""

    name = "oracle"
    title = "greedy oracle"

    def __init__(self, *, members: Sequence[SimMember], world: World) -> None:
        self._members = members
        self._world = world

    def pick(self, launch: Launch, now: float) -> int | None:
        """Of all that are up and have room."""
        best: tuple[float, float] | None = None
        picked = None
        spawn = self._world.spawn[launch.number]
        for member in self._members:
            if not member.is_up or member.used >= member.slots or member.name in launch.tried:
                continue
            seconds = member.seconds_to_image(launch.image, now)
            seconds += spawn * spawn_factor((member.used + 1) / member.slots)
            rounded = round(seconds, 3)
            if best is not None and rounded > best[0]:
                continue
            rank = rounded, -score(member.name, launch.image.affinity_key, 1.0)
            if best is None or rank < best:
                best, picked = rank, member.index
        return picked
