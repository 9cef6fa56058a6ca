"""Which images go when there are too many.

Two marks, so that cleaning comes seldom and then does something: nothing goes below
the high-water mark; above it the least recently launched go first, until what is left
is below the low-water mark. What is in use never goes, even if the marks cannot hold.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from binder_federation.binder.spec import ImageKey


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image that may have to go."""

    key: ImageKey
    size_bytes: int
    last_used: float
    """When it was last launched, else made; seconds since the epoch."""


def choose_removals(
    images: Iterable[StoredImage],
    *,
    limit_bytes: int,
    low_water_share: float,
    in_use: Collection[ImageKey],
) -> tuple[ImageKey, ...]:
    """The images to remove, in that order.

    `limit_bytes` is the high-water mark, `low_water_share` of it the low one.
    """
    all_images = list(images)
    total = sum(image.size_bytes for image in all_images)
    if total <= limit_bytes:
        return ()
    removed = []
    for image in sorted(all_images, key=lambda image: (image.last_used, image.key)):
        if total <= limit_bytes * low_water_share:
            break
        if image.key not in in_use:
            removed.append(image.key)
            total -= image.size_bytes
    return tuple(removed)
