"""Two ways to hash a repository to a member.

Weighted rendezvous with binary health is what mybinder.org's redirector did: the first
member in the repository's order that is well. Bounded loads are V. Mirrokni, M. Thorup
and M. Zadimoghaddam, "Consistent Hashing with Bounded Loads" (2018): the next member on
the ring whose load stays within `c` times the mean.
"""

from bisect import bisect_right
from hashlib import blake2b
from math import ceil

from binder_federation.federation.core.rendezvous import score
from binder_federation.federation.simulation.knowledge import Knowledge
from binder_federation.federation.simulation.launch import Launch
from binder_federation.federation.simulation.policies.contract import Policy

BOUND = 1.25
POINTS = 100
"""Each member's points on the ring."""


class RendezvousPolicy(Policy):
    """The best weighted rendezvous rank of those that are well and not full."""

    name = "rendezvous"
    title = "rendezvous, binary health"

    def __init__(self, *, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._orders: dict[str, list[int]] = {}

    def pick(self, launch: Launch, now: float) -> int | None:
        """The first that may take it."""
        found = self._knowledge.open_members(launch.replica, now, without=launch.tried)
        key = launch.image.affinity_key
        order = self._orders.get(key)
        if order is None:
            order = self._orders[key] = self._order(key)
        return next((member for member in order if member in found), None)

    def fleet_changed(self) -> None:
        """Everybody's order may be another one."""
        self._orders.clear()

    def _order(self, key: str) -> list[int]:
        members = self._knowledge.members
        scores = {each.index: score(each.name, key, 1.0) for each in members}
        return sorted(scores, key=lambda index: -scores[index])


class BoundedLoadsPolicy(Policy):
    """Consistent hashing with bounded loads."""

    name = "bounded-loads"
    title = f"bounded loads, c={BOUND:g}"

    def __init__(self, *, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._ring = sorted(
            (_point(f"{member.name}/{number}"), member.index)
            for member in knowledge.members
            for number in range(POINTS)
        )
        self._points = [point for point, _ in self._ring]
        self._orders: dict[str, list[int]] = {}

    def pick(self, launch: Launch, now: float) -> int | None:
        """The first on the ring that has room under the bound, else the first with any."""
        found = self._knowledge.open_members(launch.replica, now, without=launch.tried)
        if not found:
            return None
        loads = self._knowledge.views[launch.replica].loads
        used = {index: 0 if (load := loads[index]) is None else load.used for index in found}
        most = ceil(BOUND * (sum(used.values()) + 1) / len(found))
        order = [index for index in self._order(launch.image.affinity_key) if index in used]
        return next((index for index in order if used[index] < most), order[0])

    def _order(self, key: str) -> list[int]:
        order = self._orders.get(key)
        if order is None:
            start = bisect_right(self._points, _point(key))
            around = self._ring[start:] + self._ring[:start]
            order = self._orders[key] = list(dict.fromkeys(index for _, index in around))
        return order


def _point(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
