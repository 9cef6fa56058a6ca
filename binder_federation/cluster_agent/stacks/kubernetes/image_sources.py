"""Where a member's images are kept: in its registry, or on its nodes alone.

With a registry that is the record of what there is (`cluster_agent/registry`). Without one
(a cluster of one node) the node's engine has the images, and the agent remembers what it
built (`built_images.py`); the node's own clean-up removes them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from binder_federation.binder.spec import ImageKey
from binder_federation.cluster_agent.core.image_names import key_in_tag
from binder_federation.cluster_agent.registry.client import RegistryClient
from binder_federation.cluster_agent.registry.errors import RegistryError
from binder_federation.cluster_agent.registry.inventory import RegistryImage, RegistryImages
from binder_federation.cluster_agent.registry.last_used import LastUsed
from binder_federation.cluster_agent.stacks.base import Image
from binder_federation.cluster_agent.stacks.kubernetes.built_images import BuiltImage, BuiltImages
from binder_federation.cluster_agent.stacks.kubernetes.nodes import Node

log = structlog.get_logger(__name__)

_FIND_SECONDS = 10.0
_KNOWN_SECONDS = 2.0
"""For an image that is known: a registry that is away must not hold its launches up."""
_READ_SECONDS = 60.0
_CLEAN_SECONDS = 300.0
_NEWS_SECONDS = 120.0
"""An image that was built so recently need not be in its node's report yet."""


class ImageSource(Protocol):
    """Where a member's images are kept."""

    async def find(self, key: ImageKey) -> Image | None:
        """The image, if it is whole."""

    async def records(self) -> Sequence[tuple[Image, float]]:
        """All of them, and when each was last launched, else made."""

    async def note_launch(self, key: ImageKey) -> None:
        """The image is launched just now."""

    async def ensure_room(self, *, in_use: frozenset[str]) -> Sequence[ImageKey]:
        """Remove what is too much; what was removed."""


class InRegistry:
    """Images in a registry."""

    def __init__(
        self, *, images: RegistryImages, client: RegistryClient, last_used: LastUsed
    ) -> None:
        self._images = images
        self._client = client
        self._last_used = last_used

    async def find(self, key: ImageKey) -> Image | None:
        """Asked of the registry each time: others remove images too. While it does not answer,
        what is known of it is believed: the image may be on the nodes."""
        known = next((image for image in self._images.images if image.key == key), None)
        seconds = _KNOWN_SECONDS if known else _FIND_SECONDS
        deadline = asyncio.get_running_loop().time() + seconds
        try:
            tag = known.tag if known else await self._find_tag(key, deadline)
            found = await self._images.find(tag, deadline=deadline) if tag else None
        except RegistryError as error:
            log.warning("registry_not_asked", image=key, reason=error.message)
            found = known
        return _image_of(found) if found else None

    async def _find_tag(self, key: ImageKey, deadline: float) -> str | None:
        """The tag that another agent of this member may have made meanwhile."""
        tags = await self._client.list_tags(deadline=deadline)
        return next((tag for tag in tags if key_in_tag(tag) == key), None)

    async def records(self) -> Sequence[tuple[Image, float]]:
        """As the registry has them; as last known while it does not answer."""
        deadline = asyncio.get_running_loop().time() + _READ_SECONDS
        try:
            images = await self._images.read(deadline=deadline)
        except RegistryError as error:
            log.warning("registry_not_read", reason=error.message)
            images = self._images.images
        else:
            self._last_used.keep_only([one.key for one in images])
        return [
            (_image_of(one), self._last_used.when(one.key, made_at=one.made_at)) for one in images
        ]

    async def note_launch(self, key: ImageKey) -> None:
        """The image is launched just now."""
        self._last_used.note(key)
        await self._last_used.save_if_due()

    async def ensure_room(self, *, in_use: frozenset[str]) -> Sequence[ImageKey]:
        """Remove the least recently launched from the registry."""
        deadline = asyncio.get_running_loop().time() + _CLEAN_SECONDS
        try:
            removed = await self._images.ensure_room(in_use=in_use, deadline=deadline)
        except RegistryError as error:
            log.warning("registry_not_cleaned", reason=error.message)
            return []
        return [image.key for image in removed]


class OnNodes:
    """Images on the nodes alone."""

    def __init__(
        self,
        *,
        built: BuiltImages,
        nodes: Callable[[], Awaitable[Sequence[Node] | None]],
        last_used: LastUsed,
        now: Callable[[], float],
    ) -> None:
        self._built = built
        self._nodes = nodes
        self._last_used = last_used
        self._now = now

    async def find(self, key: ImageKey) -> Image | None:
        """The image, unless every node says that it does not have it."""
        image = self._built.images.get(key)
        if image is None:
            return None
        if self._is_gone(image, await self._nodes()):
            log.info("image_gone_from_nodes", image=key)
            await self._built.forget(key)
            return None
        return Image(key, image.reference, image.repository, image.size_bytes)

    def _is_gone(self, image: BuiltImage, nodes: Sequence[Node] | None) -> bool:
        if nodes is None or self._now() - image.made_at < _NEWS_SECONDS:
            return False
        return all(node.has_image(image.reference) is False for node in nodes)

    async def records(self) -> Sequence[tuple[Image, float]]:
        """All that the nodes have not lost."""
        found = [(key, await self.find(key)) for key in list(self._built.images)]
        return [
            (image, self._last_used.when(key, made_at=self._built.images[key].made_at))
            for key, image in found
            if image is not None
        ]

    async def note_launch(self, key: ImageKey) -> None:
        """The image is launched just now."""
        self._last_used.note(key)
        await self._last_used.save_if_due()

    async def ensure_room(
        self,
        *,
        in_use: frozenset[str],  # noqa: ARG002 - the protocol's
    ) -> Sequence[ImageKey]:
        """Nothing: each node's kubelet removes images when its disk fills up."""
        return []


def _image_of(image: RegistryImage) -> Image:
    return Image(image.key, image.reference, image.repository, image.size_bytes)
