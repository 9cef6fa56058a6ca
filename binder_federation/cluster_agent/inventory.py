"""The images of this member: what there is, and room for more.

Reads the stack's store when something changed and every now and then, so that
reports need not wait for a disk. After a build the least recently used images go
until the stack's limit holds, one removal at a time.
"""

import asyncio
from collections.abc import Callable, Mapping

import structlog

from binder_federation.binder.messages import ImageRecord
from binder_federation.cluster_agent.metrics import AgentMetrics
from binder_federation.cluster_agent.sessions import Sessions
from binder_federation.cluster_agent.stacks.base import Image, ImageStore
from binder_federation.runtime.tasks import BackgroundTasks

log = structlog.get_logger(__name__)

READ_EVERY_SECONDS = 60.0


class Inventory:
    """What the image store holds, as last read."""

    def __init__(
        self,
        *,
        images: ImageStore,
        sessions: Sessions,
        tasks: BackgroundTasks,
        metrics: AgentMetrics,
    ) -> None:
        self._images = images
        self._sessions = sessions
        self._tasks = tasks
        self._metrics = metrics
        self._records: dict[str, ImageRecord] = {}
        self._listeners: list[Callable[[], None]] = []
        self._lock = asyncio.Lock()

    @property
    def records(self) -> Mapping[str, ImageRecord]:
        """Key → record."""
        return self._records

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever the images have changed."""
        self._listeners.append(listener)

    def note_built(self, image: Image) -> None:
        """An image was made: read the store anew and make room, in the background."""
        self._tasks.start(self._after_build(image), name=f"tidy-after-{image.key}")

    async def read(self) -> None:
        """Read the store."""
        records = {record.key: record for record in await self._images.list_images()}
        self._metrics.images.set(len(records))
        if records != self._records:
            self._records = records
            for listener in self._listeners:
                listener()

    async def _after_build(self, image: Image) -> None:
        try:
            await self.read()
            async with self._lock:
                in_use = self._sessions.images_in_use() | {image.reference}
                removed = await self._images.ensure_room(in_use=in_use)
            if removed:
                log.info("images_removed", images=len(removed))
                await self.read()
        except Exception:
            log.exception("image_housekeeping_failed")
