"""What was built here, for a member without a registry: the nodes alone have its images.

Nodes tell which images they have (a minute late, some of them only), but not whose they
are. So the agent remembers what it built, in one small file. Losing it costs builds that
the engine answers from its cache.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter

from binder_federation.binder.spec import ImageKey
from binder_federation.cluster_agent.registry.state_file import StateFile
from binder_federation.cluster_agent.stacks.base import Image


class BuiltImage(BaseModel):
    """One image, and when it was made (seconds since the epoch)."""

    model_config = ConfigDict(frozen=True)

    reference: str
    repository: str
    size_bytes: int
    made_at: float


_Content = dict[ImageKey, BuiltImage]


class BuiltImages:
    """Key → image. `now` gives seconds since the epoch."""

    def __init__(self, *, path: Path, now: Callable[[], float]) -> None:
        self._now = now
        self._images: _Content = {}
        self._file = StateFile(path=path, adapter=TypeAdapter(_Content), clock=now)

    @property
    def images(self) -> Mapping[ImageKey, BuiltImage]:
        """All that are remembered."""
        return self._images

    async def load(self) -> None:
        """Remember what the file says."""
        self._images = await self._file.load() or {}

    async def note(self, image: Image) -> None:
        """The image was built just now. Builds are seldom, so it is written at once."""
        self._images[image.key] = BuiltImage(
            reference=image.reference,
            repository=image.repository,
            size_bytes=image.size_bytes,
            made_at=self._now(),
        )
        await self._write()

    async def forget(self, key: ImageKey) -> None:
        """The image is gone from all nodes."""
        if self._images.pop(key, None) is not None:
            await self._write()

    async def _write(self) -> None:
        self._file.mark_changed()
        await self._file.save(self._images.copy)
