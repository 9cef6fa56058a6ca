"""The images in a registry: all of them cheaply, one of them now, fewer of them in order."""

from pathlib import Path

import httpx
import pytest

from binder_federation.binder.messages import Tier
from binder_federation.cluster_agent.registry.errors import (
    DeletionUnsupported,
    RegistryDenied,
    RegistryUnavailable,
)
from binder_federation.cluster_agent.registry.inventory import AT_ONCE, RegistryImages
from binder_federation.cluster_agent.registry.last_used import LastUsed
from tests.support.fake_registry import FakeRegistry
from tests.support.registry_clients import Clock, make_images
from tests.support.registry_contract import SPEC, image_of, soon, tag_of
from tests.support.registry_images import make_image

REFS = ("a0", "b0", "c0", "d0")


@pytest.fixture
def images(registry: FakeRegistry, http: httpx.AsyncClient, tmp_path: Path) -> RegistryImages:
    for ref in REFS:
        registry.add(tag_of(ref), image_of(ref))
    return make_images(registry, http, tmp_path)


async def refs_read(images: RegistryImages) -> set[str]:
    """The refs of the images that a pass finds."""
    return {image.resolved_ref for image in await images.read(deadline=soon())}


async def test_only_new_tags_cost_requests(registry: FakeRegistry, images: RegistryImages) -> None:
    assert await refs_read(images) == set(REFS)
    first = registry.calls["manifest"], registry.calls["blob"]
    registry.add(tag_of("e0"), image_of("e0"))
    del registry.tags[tag_of("a0")]
    assert await refs_read(images) == {"b0", "c0", "d0", "e0"}
    second = registry.calls["manifest"], registry.calls["blob"]
    assert (first, second) == ((4, 4), (5, 5))
    assert await refs_read(images) == {"b0", "c0", "d0", "e0"}
    assert registry.calls["manifest"] == 5


async def test_many_images_are_read(
    registry: FakeRegistry, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    refs = {f"{number:08x}" for number in range(5 * AT_ONCE)}
    registry.page_size = 30
    for ref in refs:
        registry.add(tag_of(ref), image_of(ref))
    assert await refs_read(make_images(registry, http, tmp_path)) == refs


async def test_a_restart_knows_what_was_known(
    registry: FakeRegistry, http: httpx.AsyncClient, images: RegistryImages, tmp_path: Path
) -> None:
    before = await images.read(deadline=soon())
    await images.aclose()
    asked = registry.calls["manifest"]
    registry.add(tag_of("e0"), image_of("e0"))
    del registry.tags[tag_of("a0")]
    again = make_images(registry, http, tmp_path)
    await again.load()
    assert again.images == before
    assert await refs_read(again) == {"b0", "c0", "d0", "e0"}
    assert registry.calls["manifest"] - asked == 1


async def test_what_was_known_of_another_repository_is_not_believed(
    registry: FakeRegistry, http: httpx.AsyncClient, images: RegistryImages, tmp_path: Path
) -> None:
    await images.read(deadline=soon())
    await images.aclose()
    moved = make_images(registry, http, tmp_path, repository="registry.invalid/other/images")
    await moved.load()
    assert moved.images == []


async def test_records_tell_the_federation(registry: FakeRegistry, images: RegistryImages) -> None:
    [record] = [
        image.to_record()
        for image in await images.read(deadline=soon())
        if image.resolved_ref == "a0"
    ]
    assert record.key == SPEC.image_key("a0")
    assert record.repository == SPEC.affinity_key
    assert record.tier is Tier.REGISTRY
    assert record.size_bytes == image_of("a0").size_bytes


async def test_an_image_counts_once_its_manifest_is_there(
    registry: FakeRegistry, images: RegistryImages
) -> None:
    tag = tag_of("e0")
    assert await images.find(tag, deadline=soon()) is None
    registry.add(tag, image_of("e0"))
    found = await images.find(tag, deadline=soon())
    assert found is not None
    assert found.reference == f"{registry.repository}:{tag}"
    asked = registry.calls["manifest"]
    assert await images.find(tag, deadline=soon()) == found
    assert registry.calls["manifest"] == asked, "what is known is only asked whether it is there"


async def test_an_image_that_was_pushed_anew_is_looked_at_anew(
    registry: FakeRegistry, images: RegistryImages
) -> None:
    before = await images.find(tag_of("a0"), deadline=soon())
    again = image_of("a0", layer=b"built once more")
    registry.add(tag_of("a0"), again)
    after = await images.find(tag_of("a0"), deadline=soon())
    assert before is not None
    assert after is not None
    assert before.digest != after.digest == again.top.digest


async def test_a_broken_image_is_skipped_and_found_once_it_is_mended(
    registry: FakeRegistry, images: RegistryImages
) -> None:
    whole = image_of("b0")
    registry.add(tag_of("b0"), make_image(kind="application/vnd.oci.image.manifest.v1+json"))
    registry.manifests[registry.tags[tag_of("c0")]] = whole.manifests[0]  # another one's labels
    assert await refs_read(images) == {"a0", "d0"}
    assert await refs_read(images) == {"a0", "d0"}
    registry.add(tag_of("b0"), whole)
    assert await images.find(tag_of("b0"), deadline=soon()) is not None
    assert await refs_read(images) == {"a0", "b0", "d0"}


async def test_one_image_that_cannot_be_read_does_not_hide_the_others(
    registry: FakeRegistry, images: RegistryImages
) -> None:
    whole = registry.manifests.pop(registry.tags[tag_of("b0")])
    registry.broken_digests = {whole.digest}
    assert await refs_read(images) == {"a0", "c0", "d0"}
    registry.broken_digests = set()
    registry.manifests[whole.digest] = whole
    assert await refs_read(images) == set(REFS), "it was not tried again"


async def test_a_pass_that_failed_goes_on_from_there(
    registry: FakeRegistry, images: RegistryImages
) -> None:
    registry.broken_digests = {registry.tags[tag_of(ref)] for ref in ("b0", "c0", "d0")}
    with pytest.raises(RegistryUnavailable, match="500"):
        await images.read(deadline=soon())
    assert [image.resolved_ref for image in images.images] == ["a0"]
    registry.broken_digests = set()
    before = registry.calls["blob"]
    assert await refs_read(images) == set(REFS)
    assert registry.calls["blob"] - before == 3, "what was learned was asked for again"


async def test_a_refusal_ends_the_pass(http: httpx.AsyncClient, tmp_path: Path) -> None:
    async with FakeRegistry(auth="basic") as registry:
        registry.add(tag_of("a0"), image_of("a0"))
        registry.granted = set()
        with pytest.raises(RegistryDenied):
            await make_images(registry, http, tmp_path).read(deadline=soon())


async def test_the_least_recently_launched_are_removed(
    registry: FakeRegistry, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    sizes = {ref: image_of(ref).size_bytes for ref in REFS}
    for ref in REFS:
        registry.add(tag_of(ref), image_of(ref))
    clock = Clock()
    last_used = LastUsed(path=tmp_path / "last-used.json", clock=clock)
    images = make_images(
        registry,
        http,
        tmp_path,
        last_used=last_used,
        bytes_limit=sum(sizes.values()) - 1,
        low_water_share=0.5,
    )
    by_ref = {image.resolved_ref: image for image in await images.read(deadline=soon())}
    for ref in ("b0", "a0"):  # c0 and d0 count by when they were made
        clock.now += 10
        last_used.note(by_ref[ref].key)
    in_use = frozenset({by_ref["d0"].reference})
    removed = await images.ensure_room(in_use=in_use, deadline=soon())
    assert [image.resolved_ref for image in removed] == ["c0", "b0", "a0"]
    assert list(registry.tags) == [tag_of("d0")]
    assert await refs_read(images) == {"d0"}
    assert await images.ensure_room(in_use=in_use, deadline=soon()) == []


async def test_nothing_is_removed_without_a_limit(
    registry: FakeRegistry, images: RegistryImages
) -> None:
    await images.read(deadline=soon())
    assert await images.ensure_room(in_use=frozenset(), deadline=soon()) == []
    assert len(registry.tags) == len(REFS)


async def test_what_cannot_be_removed_stays_known(
    registry: FakeRegistry, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    registry.add(tag_of("a0"), image_of("a0"))
    registry.deletes = False
    images = make_images(registry, http, tmp_path, bytes_limit=1)
    await images.read(deadline=soon())
    with pytest.raises(DeletionUnsupported):
        await images.ensure_room(in_use=frozenset(), deadline=soon())
    assert [image.resolved_ref for image in images.images] == ["a0"]
