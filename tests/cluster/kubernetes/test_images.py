"""The images of a member in a real registry and on a real node."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from binder_federation.binder.errors import MemberBuildFailed
from binder_federation.binder.messages import ImageRecord, Tier
from binder_federation.binder.spec import ImageKey, LaunchSpec
from binder_federation.cluster_agent.core.image_names import image_labels, image_tag
from binder_federation.cluster_agent.stacks.base import Image
from binder_federation.cluster_agent.stacks.kubernetes.stack import KubernetesStack
from binder_federation.config.agent import AgentSettings
from tests.support.docker_stack import docker
from tests.support.eventually import eventually
from tests.support.kubectl import names
from tests.support.kubernetes_stack import launch_site, namespace, stack_settings

SPEC = LaunchSpec("git", "https://example.org/owner/name", "HEAD")


@dataclass
class ImageSite:
    """A stack, and what is in its registry."""

    settings: AgentSettings
    stack: KubernetesStack
    folder: Path
    base_image: str

    def push(self, ref: str, *, is_kept: bool = False) -> ImageKey:
        """An image of `ref` in the registry, and on the engine only if it `is_kept`."""
        key = SPEC.image_key(ref)
        name = f"{self.settings.registry.repository}:{image_tag(SPEC, key)}"
        labels = image_labels(SPEC, ref).to_mapping()
        # A kubelet tells of the 50 largest images alone, and an engine for tests has many.
        lines = [f"FROM {self.base_image}", "RUN head -c 250M /dev/zero >/tmp/large"]
        lines += [f'LABEL made-for="{secrets.token_hex(8)}"']
        lines += [f'LABEL {label}="{value}"' for label, value in labels.items()]
        (self.folder / "Dockerfile").write_text("\n".join(lines), encoding="utf-8")
        docker("build", "--quiet", "--tag", name, str(self.folder))
        docker("push", "--quiet", name)
        if not is_kept:
            docker("rmi", name)
        return key

    async def record(self, key: ImageKey) -> ImageRecord | None:
        """What the inventory says of the image."""
        records = await self.stack.images.list_images()
        return next((record for record in records if record.key == key), None)

    async def found(self, key: ImageKey) -> Image:
        """The image, which must be there."""
        image = await self.stack.images.find(key)
        assert image is not None, "the registry has it, the stack does not find it"
        return image


@pytest.fixture
async def site(
    kubeconfig: str, docker_engine: str, registry: str, base_image: str, tmp_path: Path
) -> AsyncIterator[ImageSite]:
    repository = f"{registry}/klaunch/{secrets.token_hex(4)}"
    async with namespace() as name:
        settings = stack_settings(
            tmp_path / "state",
            name,
            registry={"repository": repository, "allow_delete": True, "bytes_limit": 1},
        )
        async with launch_site(settings) as launching:
            folder = tmp_path / "image"
            folder.mkdir()
            yield ImageSite(settings, launching.stack, folder, base_image)
    left = docker("images", "--format", "{{.Repository}}:{{.Tag}}", repository).split()
    if left:
        docker("rmi", "--force", *left)


async def test_an_image_comes_from_the_registry_to_a_node_and_goes(site: ImageSite) -> None:
    key = site.push("1" * 40)
    image = await site.found(key)
    assert (image.repository, image.size_bytes > 0) == (SPEC.affinity_key, True)
    record = await site.record(key)
    assert record is not None
    assert (record.tier, record.nodes) == (Tier.REGISTRY, 0)

    await site.stack.images.bring_near(image)
    left = await names(site.settings.kubernetes.namespace, "pods")
    assert left == [], "the pod that pulled is still there"
    assert image.reference in docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()

    async def is_told() -> bool:
        record = await site.record(key)
        return record is not None and (record.tier, record.nodes) == (Tier.NODE, 1)

    await eventually(is_told, what="the node to tell of its image", within_seconds=60)

    assert await site.stack.images.ensure_room(in_use=frozenset({image.reference})) == []
    assert await site.stack.images.ensure_room(in_use=frozenset()) == [key]
    assert await site.stack.images.find(key) is None


async def test_what_another_agent_of_the_member_pushed_is_found(site: ImageSite) -> None:
    assert await site.stack.images.list_images() == []
    key = site.push("2" * 40, is_kept=True)
    assert (await site.found(key)).key == key
    await site.stack.images.note_launch(key)
    record = await site.record(key)
    assert record is not None
    assert record.last_used > 0
    assert record.last_used % 3600 == 0


async def test_an_image_that_cannot_be_pulled_is_told(site: ImageSite) -> None:
    gone = Image(SPEC.image_key("3" * 40), f"{site.settings.registry.repository}:gone", "x", 1)
    with pytest.raises(MemberBuildFailed, match="cannot be pulled"):
        await site.stack.images.bring_near(gone)
    assert await names(site.settings.kubernetes.namespace, "pods") == []
