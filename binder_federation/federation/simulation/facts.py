"""What a replica knows of images, as the locality stores keep it.

With Redis all replicas share one of these: facts are a moment late, leases are read on a
miss and so are known at once. Without, each replica has its own, from its own streams and
the reports that reach it. A member that is told to hold an image for the first time counts
as having built the repository, as in `locality/memory.py`.
"""

from heapq import heappop, heappush
from math import inf

from binder_federation.binder.messages import Tier
from binder_federation.federation.core.snapshot import ImageView
from binder_federation.federation.locality.contract import (
    LEASE_SECONDS,
    REBUILD_MEMORY_SECONDS,
)
from binder_federation.federation.simulation.world import Image

DEFAULT_BYTES = 1_500_000_000
"""Assumed of an image that nobody holds, as in `EstimateSettings`."""


class _Known:
    """Of one image."""

    __slots__ = ("building", "tiers", "valid_until", "view")

    def __init__(self) -> None:
        self.tiers: dict[str, Tier] = {}
        self.building: dict[str, float] = {}
        self.view: ImageView | None = None
        self.valid_until = -inf


class Facts:
    """Images with their holders and builders. Members go by their names here."""

    def __init__(self) -> None:
        self._images: dict[int, _Known] = {}
        self._built: dict[int, dict[str, float]] = {}
        self._by_repository: dict[int, list[_Known]] = {}
        self._coming: list[tuple[float, int, Image, str, Tier]] = []
        self._count = 0

    def tell(self, at: float, image: Image, member: str, tier: Tier) -> None:
        """At `at` it is known that the member holds the image so near."""
        self._count += 1
        heappush(self._coming, (at, self._count, image, member, tier))

    def view(self, image: Image, now: float) -> ImageView:
        """What a decision is made from."""
        while self._coming and self._coming[0][0] <= now:
            _, _, known_image, member, tier = heappop(self._coming)
            self._note(known_image, member, tier, now)
        known = self._known(image)
        if known.view is None or now >= known.valid_until:
            known.view = self._make_view(image, known, now)
        return known.view

    def note(self, image: Image, member: str, tier: Tier, now: float) -> None:
        """The member holds the image; its build, if any, is over."""
        self._note(image, member, tier, now)

    def holds(self, image: Image, member: str) -> Tier | None:
        """How near the member holds the image, as far as is known."""
        known = self._images.get(image.id)
        return None if known is None else known.tiers.get(member)

    def take_lease(self, image: Image, member: str, now: float) -> None:
        """The member is to build the image; whoever held the lease can take no launch."""
        known = self._known(image)
        known.building = {member: now}
        known.view = None

    def release(self, image: Image, member: str) -> None:
        """The member builds it no longer."""
        known = self._known(image)
        if known.building.pop(member, None) is not None:
            known.view = None

    def _known(self, image: Image) -> _Known:
        known = self._images.get(image.id)
        if known is None:
            known = self._images[image.id] = _Known()
            self._by_repository.setdefault(image.repository, []).append(known)
        return known

    def _note(self, image: Image, member: str, tier: Tier, now: float) -> None:
        known = self._known(image)
        is_built = member not in known.tiers and tier is Tier.NODE
        known.tiers[member] = tier
        known.building.pop(member, None)
        known.view = None
        if is_built:
            self._built.setdefault(image.repository, {})[member] = now
            for other in self._by_repository[image.repository]:
                other.view = None

    def _make_view(self, image: Image, known: _Known, now: float) -> ImageView:
        built = self._built.get(image.repository, {})
        recent = [name for name, at in built.items() if now - at <= REBUILD_MEMORY_SECONDS]
        for name in [name for name, since in known.building.items() if now - since > LEASE_SECONDS]:
            del known.building[name]
        known.valid_until = min(
            *(built[name] + REBUILD_MEMORY_SECONDS for name in recent),
            *(since + LEASE_SECONDS for since in known.building.values()),
            inf,
            inf,
        )
        return ImageView(
            key=image.key,
            affinity_key=image.affinity_key,
            size_bytes=image.size_bytes if known.tiers else DEFAULT_BYTES,
            tiers=dict(known.tiers),
            building_since=dict(known.building),
            built_repository_recently=frozenset(recent),
        )
