"""Random choice, and the less busy of two at random."""

from random import Random

from binder_federation.federation.simulation.knowledge import Knowledge
from binder_federation.federation.simulation.launch import Launch
from binder_federation.federation.simulation.policies.contract import Policy


class RandomPolicy(Policy):
    """Any member that is well and not full, by weight: mybinder.org's way since 2026."""

    name = "random"
    title = "random"

    def __init__(self, *, knowledge: Knowledge, rng: Random) -> None:
        self._knowledge = knowledge
        self._rng = rng

    def pick(self, launch: Launch, now: float) -> int | None:
        """One of those that may take it."""
        found = self._knowledge.open_members(launch.replica, now, without=launch.tried)
        if not found:
            return None
        weights = [self._knowledge.board.weight(member, now) for member in found]
        return self._rng.choices(found, weights)[0]


class TwoChoicesPolicy(Policy):
    """The less busy of two at random (Mitzenmacher, 1996)."""

    name = "two-choices"
    title = "power of two choices"

    def __init__(self, *, knowledge: Knowledge, rng: Random) -> None:
        self._knowledge = knowledge
        self._rng = rng

    def pick(self, launch: Launch, now: float) -> int | None:
        """Draw two, take the one with more room."""
        found = self._knowledge.open_members(launch.replica, now, without=launch.tried)
        if not found:
            return None
        drawn = self._rng.sample(found, min(2, len(found)))
        return min(drawn, key=lambda member: self._knowledge.used(member, launch.replica))
