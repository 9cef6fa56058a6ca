"""What the registry client does with any registry: the imitation, and a real one."""

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass

import pytest

from binder_federation.binder.spec import LaunchSpec
from binder_federation.cluster_agent.core.image_names import image_labels, image_tag
from binder_federation.cluster_agent.registry.client import RegistryClient
from binder_federation.cluster_agent.registry.inventory import RegistryImages
from tests.support.registry_images import (
    DOCKER,
    DOCKER_LIST,
    OCI,
    OCI_INDEX,
    MadeImage,
    make_image,
    make_index,
)

SPEC = LaunchSpec("gh", "Binder-Examples/Requirements", "HEAD")


def soon(seconds: float = 20.0) -> float:
    """A deadline."""
    return asyncio.get_running_loop().time() + seconds


def tag_of(resolved_ref: str) -> str:
    """The tag of the image of `SPEC` at that ref."""
    return image_tag(SPEC, SPEC.image_key(resolved_ref))


def image_of(resolved_ref: str, *, kind: str = OCI, layer: bytes = b"a layer") -> MadeImage:
    """An image as an agent's build labels it."""
    labels = image_labels(SPEC, resolved_ref).to_mapping()
    return make_image(labels, kind=kind, layers=[layer])


@dataclass
class Place(ABC):
    """A repository of a registry, and a client and an inventory of it."""

    client: RegistryClient
    images: RegistryImages

    @abstractmethod
    async def put(self, tag: str, image: MadeImage) -> None:
        """The image is there under that tag."""


class RegistryContract:
    """Tests; a subclass gives the fixture `place`."""

    async def test_an_empty_repository_has_no_tags(self, place: Place) -> None:
        await place.client.ping(deadline=soon())
        assert await place.client.list_tags(deadline=soon()) == []
        assert await place.client.find("missing", deadline=soon()) is None
        assert await place.client.fetch_digest("missing", deadline=soon()) is None
        assert await place.client.delete("missing", deadline=soon()) is False

    async def test_whether_it_may_push_is_known_beforehand(self, place: Place) -> None:
        await place.client.check_push(deadline=soon())
        assert await place.client.list_tags(deadline=soon()) == []

    @pytest.mark.parametrize("kind", [OCI, DOCKER])
    async def test_an_image_is_found_with_what_is_asked_of_it(
        self, place: Place, kind: str
    ) -> None:
        image = image_of("c0ffee", kind=kind)
        await place.put(tag_of("c0ffee"), image)
        found = await place.client.find(tag_of("c0ffee"), deadline=soon())
        assert found is not None
        assert found.digest == image.top.digest
        assert found.size_bytes == image.size_bytes
        assert found.labels == image_labels(SPEC, "c0ffee").to_mapping()
        assert found.created is not None
        assert found.created.isoformat() == "2026-01-02T03:04:05.123456+00:00"
        digest = await place.client.fetch_digest(tag_of("c0ffee"), deadline=soon())
        assert digest == found.digest

    @pytest.mark.parametrize(("kind", "of"), [(OCI_INDEX, OCI), (DOCKER_LIST, DOCKER)])
    async def test_of_several_platforms_ours_is_taken(
        self, place: Place, kind: str, of: str
    ) -> None:
        ours = image_of("c0ffee", kind=of)
        other = make_image(kind=of, architecture="arm64", layers=[b"a much longer layer"])
        index = make_index({"arm64": other, "amd64": ours}, kind=kind)
        await place.put(tag_of("c0ffee"), index)
        found = await place.client.find(tag_of("c0ffee"), deadline=soon())
        assert found is not None
        assert (found.digest, found.size_bytes) == (index.top.digest, ours.size_bytes)

    async def test_the_only_image_beside_its_attestation_is_taken(self, place: Place) -> None:
        only = image_of("c0ffee")
        index = make_index({"arm64": only}, attested=True)
        await place.put(tag_of("c0ffee"), index)
        found = await place.client.find(tag_of("c0ffee"), deadline=soon())
        assert found is not None
        assert found.size_bytes == only.size_bytes

    async def test_a_deleted_image_is_gone(self, place: Place) -> None:
        await place.put(tag_of("c0ffee"), image_of("c0ffee"))
        await place.put(tag_of("decade"), image_of("decade"))
        assert await place.client.delete(tag_of("c0ffee"), deadline=soon()) is True
        assert await place.client.find(tag_of("c0ffee"), deadline=soon()) is None
        assert await place.client.delete(tag_of("c0ffee"), deadline=soon()) is False
        assert await place.client.find(tag_of("decade"), deadline=soon()) is not None

    async def test_tags_are_listed_over_several_pages(self, place: Place) -> None:
        refs = [f"{number:06x}" for number in range(5)]
        for ref in refs:
            await place.put(tag_of(ref), image_of(ref))
        assert sorted(await place.client.list_tags(deadline=soon())) == sorted(map(tag_of, refs))

    async def test_the_inventory_knows_ours_and_leaves_others_alone(self, place: Place) -> None:
        await place.put(tag_of("c0ffee"), image_of("c0ffee"))
        await place.put("latest", make_image())
        await place.put(tag_of("decade"), make_image({"made": "by somebody else"}))
        [image] = await place.images.read(deadline=soon())
        assert (image.key, image.repository) == (SPEC.image_key("c0ffee"), SPEC.affinity_key)
        assert image.resolved_ref == "c0ffee"
        assert await place.images.find(tag_of("c0ffee"), deadline=soon()) == image
        assert await place.images.find(tag_of("decade"), deadline=soon()) is None
        assert await place.images.delete(image.tag, deadline=soon()) is True
        assert await place.images.read(deadline=soon()) == []
