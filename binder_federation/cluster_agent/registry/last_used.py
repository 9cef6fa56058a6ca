"""When each image was last launched, as cleaning wants to know.

Kept in memory and in one small file (`state_file.py`). Losing it costs little: an image
that was never noted counts by when it was made. It belongs to the stack's image store,
which knows an image wherever it is; the registry's inventory only reads it.
"""

from collections.abc import Callable, Collection
from pathlib import Path

from pydantic import FiniteFloat, TypeAdapter

from binder_federation.binder.spec import ImageKey
from binder_federation.cluster_agent.registry.state_file import StateFile

_Times = dict[ImageKey, FiniteFloat]


class LastUsed:
    """Key → seconds since the epoch, of the images that were launched."""

    def __init__(self, *, path: Path, clock: Callable[[], float]) -> None:
        """`clock` gives seconds since the epoch."""
        self._clock = clock
        self._times: _Times = {}
        self._file = StateFile(path=path, adapter=TypeAdapter(_Times), clock=clock)

    async def load(self) -> None:
        """Remember what the file says."""
        self._times = {**(await self._file.load() or {}), **self._times}

    def note(self, key: ImageKey) -> None:
        """The image is launched just now."""
        self._times[key] = self._clock()
        self._file.mark_changed()

    def when(self, key: ImageKey, *, made_at: float) -> float:
        """When the image was last launched, else `made_at`."""
        return max(self._times.get(key, made_at), made_at)

    def keep_only(self, keys: Collection[ImageKey]) -> None:
        """Forget all other images: they are gone."""
        gone = self._times.keys() - set(keys)
        for key in gone:
            del self._times[key]
        if gone:
            self._file.mark_changed()

    async def save_if_due(self) -> None:
        """Write the file if something changed and the last time is a minute ago."""
        await self._file.save_if_due(self._times.copy)

    async def aclose(self) -> None:
        """Write what is not written yet."""
        await self._file.save(self._times.copy)
