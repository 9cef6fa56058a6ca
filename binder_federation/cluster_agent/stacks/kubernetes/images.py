"""The images of a member on Kubernetes, and on which of its nodes they are.

Where they are kept is the source's matter (`image_sources.py`); the nodes say where an
image starts without a pull, and `prepull.py` puts it there.
"""

from collections.abc import Sequence

from binder_federation.binder.errors import MemberBuildFailed
from binder_federation.binder.messages import ImageRecord, Tier
from binder_federation.binder.spec import ImageKey
from binder_federation.cluster_agent.stacks.base import Builder, BuildPlan, BuildProgress, Image
from binder_federation.cluster_agent.stacks.kubernetes.built_images import BuiltImages
from binder_federation.cluster_agent.stacks.kubernetes.image_sources import ImageSource
from binder_federation.cluster_agent.stacks.kubernetes.nodes import Node, NodeReader
from binder_federation.cluster_agent.stacks.kubernetes.prepull import Prepuller

_HOUR = 3600.0


class KubernetesImages:
    """The image store of the Kubernetes stack."""

    def __init__(self, *, source: ImageSource, nodes: NodeReader, prepuller: Prepuller) -> None:
        self._source = source
        self._nodes = nodes
        self._prepuller = prepuller

    async def find(self, key: ImageKey) -> Image | None:
        """The image, if it is whole."""
        return await self._source.find(key)

    async def bring_near(self, image: Image) -> None:
        """Have it on some nodes. Raises `MemberBuildFailed` when none of them gets it."""
        trouble = await self._prepuller.pull(image.reference, await self._nodes.nodes())
        if trouble:
            raise MemberBuildFailed(trouble, advice="It is pulled with its first launch.")

    async def list_images(self) -> Sequence[ImageRecord]:
        """All of them, and how near they are."""
        records, nodes = await self._source.records(), await self._nodes.nodes()
        return [_record(image, used, nodes) for image, used in records]

    async def note_launch(self, key: ImageKey) -> None:
        """The image was used just now."""
        await self._source.note_launch(key)

    async def ensure_room(self, *, in_use: frozenset[str]) -> Sequence[ImageKey]:
        """Remove least recently launched images when there are too many."""
        return await self._source.ensure_room(in_use=in_use)


class RememberingBuilder:
    """A builder whose images are remembered: without a registry nothing else knows them."""

    def __init__(self, *, builder: Builder, built: BuiltImages) -> None:
        self._builder = builder
        self._built = built

    async def build(self, plan: BuildPlan, progress: BuildProgress) -> Image:
        """Make the image; raises as its builder does."""
        image = await self._builder.build(plan, progress)
        await self._built.note(image)
        return image


def _record(image: Image, used: float, nodes: Sequence[Node] | None) -> ImageRecord:
    holders = sum(node.has_image(image.reference) is True for node in nodes or [])
    return ImageRecord(
        key=image.key,
        repository=image.repository[:2048],
        tier=Tier.NODE if holders else Tier.REGISTRY,
        size_bytes=image.size_bytes,
        nodes=holders,
        last_used=used - used % _HOUR,
    )
