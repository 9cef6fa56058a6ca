"""What is remembered of refs: a contract that memory keeps here, and a shared store may."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from binder_federation.binder.providers.base import Missing, Resolved
from binder_federation.binder.spec import LaunchSpec


@dataclass(frozen=True, slots=True)
class CachedRef:
    """The last answer about one ref. Times are in seconds since 1970."""

    answer: Resolved | Missing
    learned_at: float
    """When the provider last said so."""
    asked_at: float
    """When it was last asked; later than `learned_at` when it did not answer since."""
    trouble: str = ""
    """Why it did not answer then."""


class RefCache(Protocol):
    """Answers by key. It may forget any of them at any time, and it never raises: a store
    that fails has forgotten."""

    async def get(self, key: str) -> CachedRef | None:
        """The entry, however old."""

    async def put(self, key: str, entry: CachedRef) -> None:
        """Remember `entry`."""


class MemoryRefCache:
    """The most recently used answers, in this process."""

    def __init__(self, *, most_entries: int = 50_000) -> None:
        self._entries: OrderedDict[str, CachedRef] = OrderedDict()
        self._most_entries = most_entries

    async def get(self, key: str) -> CachedRef | None:
        """The entry, however old."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    async def put(self, key: str, entry: CachedRef) -> None:
        """Remember `entry`, and forget the one that was not used for longest."""
        self._entries[key] = entry
        self._entries.move_to_end(key)
        while len(self._entries) > self._most_entries:
            self._entries.popitem(last=False)


def ref_key(spec: LaunchSpec) -> str:
    """Names a ref of a repository. Not case-folded as the affinity key is: elsewhere than at
    GitHub `Repo` and `repo` may be two repositories."""
    return f"{spec.provider}:{spec.repository}@{spec.ref}"
