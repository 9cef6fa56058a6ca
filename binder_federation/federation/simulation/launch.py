"""One launch on its way."""

from binder_federation.federation.simulation.world import Image


class Launch:
    """A launch, and what was tried for it."""

    __slots__ = ("arrived_at", "image", "number", "replica", "tried")

    def __init__(self, number: int, image: Image, *, replica: int, arrived_at: float) -> None:
        self.number = number
        """Counts from 0, in time order."""
        self.image = image
        self.replica = replica
        self.arrived_at = arrived_at
        self.tried: frozenset[str] = frozenset()
        """Names of the members that refused it or broke."""
