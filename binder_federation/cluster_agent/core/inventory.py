"""What changed in a member's images since the federation last knew them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from binder_federation.binder.messages import ImageRecord


@dataclass(frozen=True, slots=True)
class InventoryChange:
    """Images that are new or different, and keys of those that are gone."""

    images: tuple[ImageRecord, ...]
    removed: tuple[str, ...]


def find_changes(
    accepted: Mapping[str, ImageRecord], current: Iterable[ImageRecord]
) -> InventoryChange:
    """From what was `accepted` (key → record) to what there is now."""
    now = {record.key: record for record in current}
    return InventoryChange(
        images=tuple(record for key, record in now.items() if accepted.get(key) != record),
        removed=tuple(sorted(accepted.keys() - now.keys())),
    )
