"""When each image was last launched, as cleaning wants to know.

Kept in memory and in one small file, which is replaced whole, at most once a minute
and when the agent ends. Losing it (a crash, a broken file, a new folder) costs little:
an image that was never noted counts by when it was made.
"""

import asyncio
import json
import os
from collections.abc import Callable, Collection
from pathlib import Path

import structlog
from pydantic import FiniteFloat, TypeAdapter, ValidationError

from binder_federation.binder.spec import ImageKey

log = structlog.get_logger(__name__)

WRITE_EVERY_SECONDS = 60.0
_CONTENT = TypeAdapter(dict[ImageKey, FiniteFloat])


class LastUsed:
    """Key → seconds since the epoch, of the images that were launched."""

    def __init__(self, *, path: Path, clock: Callable[[], float]) -> None:
        """`clock` gives seconds since the epoch. The file's folder is made when needed."""
        self._path = path
        self._clock = clock
        self._times: dict[ImageKey, float] = {}
        self._is_changed = False
        self._written_at = clock()
        self._lock = asyncio.Lock()

    async def load(self) -> None:
        """Read the file; a missing or broken one is as good as an empty one."""
        try:
            content = await asyncio.to_thread(self._path.read_bytes)
            self._times = {**_CONTENT.validate_json(content), **self._times}
        except FileNotFoundError:
            return
        except (OSError, ValidationError) as error:
            log.warning("last_used_unreadable", path=str(self._path), error=type(error).__name__)

    def note(self, key: ImageKey) -> None:
        """The image is launched just now."""
        self._times[key] = self._clock()
        self._is_changed = True

    def when(self, key: ImageKey, *, made_at: float) -> float:
        """When the image was last launched, else `made_at`."""
        return max(self._times.get(key, made_at), made_at)

    def keep_only(self, keys: Collection[ImageKey]) -> None:
        """Forget all other images: they are gone."""
        gone = self._times.keys() - set(keys)
        for key in gone:
            del self._times[key]
        self._is_changed = self._is_changed or bool(gone)

    async def save_if_due(self) -> None:
        """Write the file if something changed and the last time is a minute ago."""
        elapsed = self._clock() - self._written_at
        if not 0 <= elapsed < WRITE_EVERY_SECONDS:
            await self._save()

    async def aclose(self) -> None:
        """Write what is not written yet."""
        await self._save()

    async def _save(self) -> None:
        async with self._lock:
            if not self._is_changed:
                return
            self._is_changed = False
            self._written_at = self._clock()
            try:
                await asyncio.to_thread(_replace, self._path, json.dumps(self._times))
            except OSError as error:
                self._is_changed = True
                log.warning("last_used_not_written", path=str(self._path), error=repr(error))


def _replace(path: Path, text: str) -> None:
    """A crash leaves either the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.draft")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
