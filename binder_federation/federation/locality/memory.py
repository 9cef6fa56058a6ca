"""Locality facts in memory: for one replica without Redis, and for tests.

Every member has a shelf of its own, least recently seen first and bounded, so a
member that reports without end pushes out its own facts and nobody else's. An index
leads from an image to its holders. Old facts are dropped when they are met.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable

from binder_federation.binder.messages import ImageRecord, Tier
from binder_federation.binder.spec import ImageKey
from binder_federation.federation.locality.contract import (
    IMAGE_LIFETIME_SECONDS,
    LEASE_SECONDS,
    REBUILD_MEMORY_SECONDS,
    Held,
    ImageFacts,
    Lease,
)

MOST_IMAGES_PER_MEMBER = 100_000
MOST_LEASES = 100_000


class _Shelf:
    """What one member holds and has built, least recently seen first."""

    def __init__(self) -> None:
        self.images: OrderedDict[str, Held] = OrderedDict()
        self.built: OrderedDict[str, float] = OrderedDict()


class MemoryLocalityStore:
    """A `LocalityStore` in this process."""

    def __init__(
        self,
        *,
        most_images_per_member: int = MOST_IMAGES_PER_MEMBER,
        most_leases: int = MOST_LEASES,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._most_images = most_images_per_member
        self._most_leases = most_leases
        self._lease_seconds = lease_seconds
        self._shelves: defaultdict[str, _Shelf] = defaultdict(_Shelf)
        self._holders: defaultdict[str, set[str]] = defaultdict(set)
        self._builders: defaultdict[str, set[str]] = defaultdict(set)
        self._leases: OrderedDict[str, Lease] = OrderedDict()

    async def facts(self, image_key: ImageKey, affinity_key: str, *, now: float) -> ImageFacts:
        """What is known of the image, and of the repository that `affinity_key` names."""
        lease = self._lease(image_key, now)
        return ImageFacts(
            holders=self._holders_of(image_key, now),
            building_since={} if lease is None else {lease.member: lease.since},
            built_repository_recently=frozenset(self._builders_of(affinity_key, now)),
        )

    async def replace_inventory(
        self, member: str, images: Iterable[ImageRecord], *, now: float
    ) -> None:
        """`images` are all that the member holds; what else was known of it is gone."""
        records = {record.key: record for record in images}
        for key in self._shelves[member].images.keys() - records.keys():
            self._drop_image(member, key)
        for record in records.values():
            self._put_image(member, record, now)

    async def apply_changes(
        self, member: str, images: Iterable[ImageRecord], removed: Iterable[str], *, now: float
    ) -> None:
        """`images` are new or changed at the member, the keys in `removed` are gone there."""
        for key in removed:
            self._drop_image(member, key)
        for record in images:
            self._put_image(member, record, now)

    async def note_image(self, member: str, record: ImageRecord, *, now: float) -> None:
        """The member holds this image. A size of 0 leaves the size that is known."""
        self._put_image(member, record, now)

    async def forget_image(self, member: str, image_key: ImageKey) -> None:
        """The member does not hold this image."""
        self._drop_image(member, image_key)

    async def forget_member(self, member: str) -> None:
        """Nothing is known of the member, and it builds nothing."""
        shelf = self._shelves.pop(member, _Shelf())
        for key in shelf.images:
            _discard(self._holders, key, member)
        for affinity_key in shelf.built:
            _discard(self._builders, affinity_key, member)
        for key in [key for key, lease in self._leases.items() if lease.member == member]:
            del self._leases[key]

    async def take_lease(self, image_key: ImageKey, member: str, *, now: float) -> Lease:
        """The lease to build the image: a new one for `member`, or the one that holds."""
        held = self._lease(image_key, now)
        if held is not None:
            return held
        lease = Lease(image_key, member, since=now, expires_at=now + self._lease_seconds)
        self._leases[image_key] = lease
        if len(self._leases) > self._most_leases:
            self._leases.popitem(last=False)
        return lease

    async def release_lease(self, image_key: ImageKey, member: str) -> None:
        """The member's build ended. Another member's lease is left alone."""
        lease = self._leases.get(image_key)
        if lease is not None and lease.member == member:
            del self._leases[image_key]

    def needs_whole_inventory(self, member: str) -> bool:  # noqa: ARG002
        """Never: what is in memory is not lost."""
        return False

    async def image_count(self, member: str | None = None) -> int:
        """How many images are known: the member's, or different ones at all members."""
        return len(self._holders) if member is None else self.known_images(member)

    def known_images(self, member: str) -> int:
        """How many images the member is known to hold."""
        shelf = self._shelves.get(member)
        return len(shelf.images) if shelf else 0

    def _put_image(self, member: str, record: ImageRecord, now: float) -> None:
        shelf = self._shelves[member]
        before = shelf.images.get(record.key)
        size_bytes = record.size_bytes or (before.size_bytes if before else 0)
        shelf.images[record.key] = Held(record.tier, size_bytes, now)
        shelf.images.move_to_end(record.key)
        self._holders[record.key].add(member)
        # Told again is not built again, and what is in a registry may have been built elsewhere.
        if before is None and record.tier is Tier.NODE:
            self._put_built(member, record.repository, now)
        self._drop_oldest(member, shelf, now)

    def _put_built(self, member: str, affinity_key: str, now: float) -> None:
        shelf = self._shelves[member]
        shelf.built[affinity_key] = now
        shelf.built.move_to_end(affinity_key)
        self._builders[affinity_key].add(member)
        if len(shelf.built) > self._most_images:
            oldest, _ = shelf.built.popitem(last=False)
            _discard(self._builders, oldest, member)

    def _drop_oldest(self, member: str, shelf: _Shelf, now: float) -> None:
        """Keep the shelf within its bound, and take off what was not seen for long."""
        while shelf.images:
            key, oldest = next(iter(shelf.images.items()))
            is_old = now - oldest.last_seen > IMAGE_LIFETIME_SECONDS
            if not is_old and len(shelf.images) <= self._most_images:
                return
            self._drop_image(member, key)

    def _drop_image(self, member: str, key: str) -> None:
        shelf = self._shelves.get(member)
        if shelf is not None and shelf.images.pop(key, None) is not None:
            _discard(self._holders, key, member)

    def _holders_of(self, image_key: ImageKey, now: float) -> dict[str, Held]:
        holders = {}
        for member in sorted(self._holders.get(image_key, ())):
            held = self._shelves[member].images[image_key]
            if now - held.last_seen <= IMAGE_LIFETIME_SECONDS:
                holders[member] = held
            else:
                self._drop_image(member, image_key)
        return holders

    def _builders_of(self, affinity_key: str, now: float) -> list[str]:
        builders = []
        for member in sorted(self._builders.get(affinity_key, ())):
            shelf = self._shelves[member]
            if now - shelf.built[affinity_key] <= REBUILD_MEMORY_SECONDS:
                builders.append(member)
            else:
                del shelf.built[affinity_key]
                _discard(self._builders, affinity_key, member)
        return builders

    def _lease(self, image_key: ImageKey, now: float) -> Lease | None:
        lease = self._leases.get(image_key)
        if lease is None or now < lease.expires_at:
            return lease
        del self._leases[image_key]
        return None


def _discard(index: defaultdict[str, set[str]], key: str, member: str) -> None:
    """Take `member` out of the index, and the key with it when it was the last."""
    members = index.get(key)
    if members is None:
        return
    members.discard(member)
    if not members:
        del index[key]
