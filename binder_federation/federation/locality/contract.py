"""What a locality store does, whatever keeps the facts.

A store holds hints: a wrong or lost one costs a slower launch, never a failed one.
A member's facts come from that member alone (its reports, its streams), so nobody
can say what another member holds. Times are seconds of one clock and are handed in.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, Protocol

from binder_federation.binder.messages import ImageRecord, Tier
from binder_federation.binder.spec import ImageKey

DAY_SECONDS = 86_400.0
IMAGE_LIFETIME_SECONDS = 30 * DAY_SECONDS
"""A member's word about an image is forgotten when it was not repeated for so long."""
REBUILD_MEMORY_SECONDS = 14 * DAY_SECONDS
"""A repository that a member built within this time builds faster there."""
LEASE_SECONDS = 3600.0
"""The longest build; after it a lease is free again."""


@dataclass(frozen=True, slots=True)
class Held:
    """A member's copy of an image. `size_bytes` is 0 while it is not known, and right within
    1 %; `last_seen` is right within a day."""

    tier: Tier
    size_bytes: int
    last_seen: float


@dataclass(frozen=True, slots=True)
class Lease:
    """`member` builds the image; others may wait for it."""

    image_key: ImageKey
    member: str
    since: float
    expires_at: float


class ImageFacts(NamedTuple):
    """What is known of one image and its repository."""

    holders: Mapping[str, Held] = MappingProxyType({})
    building_since: Mapping[str, float] = MappingProxyType({})
    built_repository_recently: frozenset[str] = frozenset()


class LocalityStore(Protocol):
    """Facts about images, by member."""

    async def facts(self, image_key: ImageKey, affinity_key: str, *, now: float) -> ImageFacts:
        """What is known of the image, and of the repository that `affinity_key` names."""

    async def replace_inventory(
        self, member: str, images: Iterable[ImageRecord], *, now: float
    ) -> None:
        """`images` are all that the member holds; what else was known of it is gone."""

    async def apply_changes(
        self, member: str, images: Iterable[ImageRecord], removed: Iterable[str], *, now: float
    ) -> None:
        """`images` are new or changed at the member, the keys in `removed` are gone there."""

    async def note_image(self, member: str, record: ImageRecord, *, now: float) -> None:
        """The member holds this image. A size of 0 leaves the size that is known."""

    async def forget_image(self, member: str, image_key: ImageKey) -> None:
        """The member does not hold this image."""

    async def forget_member(self, member: str) -> None:
        """Nothing is known of the member, and it builds nothing."""

    async def take_lease(self, image_key: ImageKey, member: str, *, now: float) -> Lease:
        """The lease to build the image: a new one for `member`, or the one that holds.

        The first taker has it; asking again changes nothing, also not when it ends.
        """

    async def release_lease(self, image_key: ImageKey, member: str) -> None:
        """The member's build ended. Another member's lease is left alone."""

    def needs_whole_inventory(self, member: str) -> bool:
        """Whether the member should send all its images again, as some may have been lost."""

    async def image_count(self, member: str | None = None) -> int:
        """How many images are known: the member's, or different ones at all members."""

    def known_images(self, member: str) -> int:
        """How many images the member is known to hold; nobody is asked for it."""
