"""The images on disk: what is there, when it was used, what goes when there are too many."""

import asyncio
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

import structlog

from binder_federation.binder.messages import ImageRecord
from binder_federation.binder.spec import ImageKey
from binder_federation.cluster_agent.stacks.base import Image
from binder_federation.cluster_agent.stacks.host.files import remove_tree
from binder_federation.cluster_agent.stacks.local.folders import (
    ImageFolder,
    StackFolders,
)
from binder_federation.cluster_agent.stacks.local.image_record import ImageRecordFile, read_record

log = structlog.get_logger(__name__)


class LocalImages:
    """The image store of the local stack. An image's last use is the time of its record file."""

    def __init__(self, *, folders: StackFolders, bytes_limit: int) -> None:
        self._folders = folders
        self._bytes_limit = bytes_limit

    async def find(self, key: ImageKey) -> Image | None:
        """The image, if it is whole."""
        record = await asyncio.to_thread(read_record, self._folders.image(key))
        return image_of(record) if record else None

    async def bring_near(self, image: Image) -> None:
        """It is: images are folders on this machine."""

    async def list_images(self) -> Sequence[ImageRecord]:
        """All of them."""
        records = await asyncio.to_thread(self._read_all)
        return [
            ImageRecord(
                key=record.key, repository=record.repository[:2048], size_bytes=record.size_bytes
            )
            for _, record in records
        ]

    async def note_launch(self, key: ImageKey) -> None:
        """The image was used just now; one that is gone meanwhile is no error."""
        try:
            os.utime(self._folders.image(key).record)
        except FileNotFoundError:
            log.info("image_gone_before_launch", image=key)

    async def ensure_room(self, *, in_use: frozenset[str]) -> Sequence[ImageKey]:
        """Remove least recently used images until all together are within the limit."""
        removed = await asyncio.to_thread(self._make_room, in_use)
        for key in removed:
            log.info("image_removed", image=key)
        return removed

    def _read_all(self) -> list[tuple[ImageFolder, ImageRecordFile]]:
        try:
            folders = [ImageFolder(Path(entry.path)) for entry in os.scandir(self._folders.images)]
        except FileNotFoundError:
            return []
        read = ((folder, read_record(folder)) for folder in folders)
        return [(folder, record) for folder, record in read if record is not None]

    def _make_room(self, in_use: frozenset[str]) -> list[ImageKey]:
        images = self._read_all()
        total = sum(record.size_bytes for _, record in images)
        removed = []
        for folder, record in sorted(images, key=lambda image: _last_used(image[0])):
            if total <= self._bytes_limit:
                break
            if record.key in in_use:
                continue
            self._remove(folder)
            total -= record.size_bytes
            removed.append(ImageKey(record.key))
        return removed

    def _remove(self, folder: ImageFolder) -> None:
        """First it stops being whole, so that a crash half way leaves nothing that looks so."""
        folder.record.unlink(missing_ok=True)
        self._folders.building.mkdir(parents=True, exist_ok=True)
        scrap = self._folders.building / f"removed-{secrets.token_hex(8)}"
        folder.path.rename(scrap)
        remove_tree(scrap)


def image_of(record: ImageRecordFile) -> Image:
    """The image that a record describes; the hub is told its key."""
    return Image(
        key=ImageKey(record.key),
        reference=record.key,
        repository=record.repository,
        size_bytes=record.size_bytes,
    )


def _last_used(folder: ImageFolder) -> float:
    try:
        return folder.record.stat().st_mtime
    except FileNotFoundError:
        return 0.0
