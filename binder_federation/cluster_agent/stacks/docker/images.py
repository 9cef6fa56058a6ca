"""The images on the engine, and behind it those in the registry.

On the engine an image counts while it has its name: names are given last, when an image
is made or pulled whole. What is on the engine is asked of the engine each time; what is
only in the registry is found there (`registry/inventory.py`) and is a pull away: the
spawner pulls what is missing, with progress, `bring_near` ahead of need.
"""

import asyncio
from collections.abc import Sequence

import structlog

from binder_federation.binder.errors import MemberBuildFailed
from binder_federation.binder.messages import ImageRecord, Tier
from binder_federation.binder.spec import ImageKey
from binder_federation.cluster_agent.core.cleaning import StoredImage, choose_removals
from binder_federation.cluster_agent.core.image_names import (
    KEY_LABEL,
    ImageLabels,
    key_in_tag,
    read_labels,
)
from binder_federation.cluster_agent.registry.credentials.base import Credentials
from binder_federation.cluster_agent.registry.errors import RegistryError
from binder_federation.cluster_agent.registry.inventory import RegistryImages
from binder_federation.cluster_agent.registry.last_used import LastUsed
from binder_federation.cluster_agent.stacks.base import Image
from binder_federation.cluster_agent.stacks.docker.engine import Engine, EngineImage
from binder_federation.cluster_agent.stacks.docker.errors import EngineError, InUse
from binder_federation.config.stacks.docker import DockerStackSettings

log = structlog.get_logger(__name__)

_REGISTRY_SECONDS = 60.0
_FIND_SECONDS = 15.0
_PULL_SECONDS = 900.0
_PRUNE_OLDER_THAN = "24h"


class DockerImages:
    """The image store of the Docker stack.

    `repository`: what all images' names begin with, before the `:`. `registry` is None
    where there is none.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        repository: str,
        settings: DockerStackSettings,
        last_used: LastUsed,
        registry: RegistryImages | None,
        credentials: Credentials,
    ) -> None:
        self._engine = engine
        self._repository = repository
        self._settings = settings
        self._last_used = last_used
        self._registry = registry
        self._credentials = credentials
        self._is_registry_read = False

    async def find(self, key: ImageKey) -> Image | None:
        """The image, on the engine or in the registry. Raises `ServiceError` when the one that
        could have it does not answer."""
        labelled = {"label": [f"{KEY_LABEL}={key}"]}
        for labels, image in _ours(await self._engine.images(self._named() | labelled)):
            if labels.key == key:
                return _image(labels, image)
        return await self._find_in_registry(key)

    async def bring_near(self, image: Image) -> None:
        """Pull it, if the engine lacks it. Raises `MemberBuildFailed`."""
        here = {found.key for found, _ in _ours(await self._engine.images(self._named()))}
        if image.key in here:
            return
        if self._registry is None:  # its name may be somebody else's on the internet
            raise MemberBuildFailed("The image is not here any more.")
        login = await self._credentials.fetch()
        auth = {"username": login.username, "password": login.password} if login else None
        try:
            async with asyncio.timeout(_PULL_SECONDS):
                await self._engine.pull(image.reference, auth=auth)
        except TimeoutError as error:
            raise MemberBuildFailed(
                f"The image was not pulled within {_PULL_SECONDS:.0f} seconds."
            ) from error
        except EngineError as error:
            raise MemberBuildFailed(
                "The image could not be pulled from the member's registry."
            ) from error

    async def list_images(self) -> Sequence[ImageRecord]:
        """All of them; one that the engine has is told as that."""
        records = {
            labels.key: ImageRecord(
                key=labels.key,
                repository=labels.repository[:2048],
                tier=Tier.NODE,
                size_bytes=image.size_bytes,
            )
            for labels, image in _ours(await self._engine.images(self._named()))
        }
        for record in await self._read_registry():
            records.setdefault(ImageKey(record.key), record)
        self._last_used.keep_only(list(records))
        await self._last_used.save_if_due()
        return list(records.values())

    async def note_launch(self, key: ImageKey) -> None:
        """The image was used just now."""
        self._last_used.note(key)

    async def ensure_room(self, *, in_use: frozenset[str]) -> Sequence[ImageKey]:
        """Remove least recently launched images from the engine above its mark, and from the
        registry above its own; returns those that are nowhere any more."""
        removed = await self._ensure_room_here(in_use)
        if self._registry is None:
            return removed
        deadline = asyncio.get_running_loop().time() + _REGISTRY_SECONDS
        deleted = await self._registry.ensure_room(in_use=in_use, deadline=deadline)
        there = {image.key for image in self._registry.images}
        gone = {image.key for image in deleted} | (set(removed) - there)
        here = {labels.key for labels, _ in _ours(await self._engine.images(self._named()))}
        return sorted(gone - here)

    async def prune_builds(self) -> None:
        """Remove what builds kept and have not used for a day."""
        freed = await self._engine.prune_builds(older_than=_PRUNE_OLDER_THAN)
        log.info("build_cache_pruned", bytes=freed)

    def _named(self) -> dict[str, list[str]]:
        return {"reference": [f"{self._repository}:*"]}

    async def _find_in_registry(self, key: ImageKey) -> Image | None:
        if self._registry is None:
            return None
        if not self._is_registry_read:
            await self._read_registry()
        known = {image.key: image for image in self._registry.images}.get(key)
        if known is None:
            return None  # `list_images` learns of what others pushed
        deadline = asyncio.get_running_loop().time() + _FIND_SECONDS
        found = await self._registry.find(known.tag, deadline=deadline)
        if found is None:
            return None
        return Image(found.key, found.reference, found.repository, found.size_bytes)

    async def _read_registry(self) -> list[ImageRecord]:
        """Without an answer, what was known before."""
        if self._registry is None:
            return []
        deadline = asyncio.get_running_loop().time() + _REGISTRY_SECONDS
        try:
            await self._registry.read(deadline=deadline)
            self._is_registry_read = True
        except RegistryError as error:
            log.warning("registry_not_read", reason=error.message)
        return [image.to_record() for image in self._registry.images]

    async def _ensure_room_here(self, in_use: frozenset[str]) -> list[ImageKey]:
        images = {
            labels.key: image for labels, image in _ours(await self._engine.images(self._named()))
        }
        chosen = choose_removals(
            [
                StoredImage(key, image.own_bytes, self._last_used.when(key, made_at=image.created))
                for key, image in images.items()
            ],
            limit_bytes=self._settings.image_bytes_limit,
            low_water_share=self._settings.image_low_water_share,
            in_use={key for key, image in images.items() if image.reference in in_use},
        )
        removed = []
        for key in chosen:
            try:
                await self._engine.remove_image(images[key].reference)
            except InUse:
                continue  # a session of another member that shares the engine
            log.info("image_removed", image=key)
            removed.append(key)
        return removed


def _ours(images: Sequence[EngineImage]) -> list[tuple[ImageLabels, EngineImage]]:
    """Those whose name and labels say the same, with what they say: a Dockerfile may begin with
    one of our images, and has its labels then."""
    read = [(read_labels(image.labels), image) for image in images]
    return [
        (labels, image)
        for labels, image in read
        if labels and labels.key == key_in_tag(image.reference.rpartition(":")[2])
    ]


def _image(labels: ImageLabels, image: EngineImage) -> Image:
    return Image(labels.key, image.reference, labels.repository, image.size_bytes)
