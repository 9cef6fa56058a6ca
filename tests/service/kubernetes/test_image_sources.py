"""Where a member on Kubernetes finds its images: in a registry that comes and goes, on nodes."""

import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest

from binder_federation.cluster_agent.registry.last_used import LastUsed
from binder_federation.cluster_agent.stacks.base import Image
from binder_federation.cluster_agent.stacks.kubernetes.built_images import BuiltImages
from binder_federation.cluster_agent.stacks.kubernetes.image_sources import InRegistry, OnNodes
from binder_federation.cluster_agent.stacks.kubernetes.nodes import Node, read_node
from tests.support.fake_registry import FakeRegistry
from tests.support.registry_clients import Clock, make_client, make_images
from tests.support.registry_contract import SPEC, image_of, tag_of
from tests.unit.agent.kubernetes.launching import node

KEY = SPEC.image_key("a0")
IMAGE = Image(KEY, "binderfed/alpha:one", "gh/owner/name", 100)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(verify=ssl.create_default_context()) as made:
        yield made


def in_registry(registry: FakeRegistry, http: httpx.AsyncClient, folder: Path) -> InRegistry:
    last_used = LastUsed(path=folder / "last-used.json", clock=Clock())
    return InRegistry(
        images=make_images(registry, http, folder, last_used=last_used),
        client=make_client(registry, http),
        last_used=last_used,
    )


async def test_an_image_is_found_by_its_key_before_the_first_pass(
    http: httpx.AsyncClient, tmp_path: Path
) -> None:
    async with FakeRegistry() as registry:
        source = in_registry(registry, http, tmp_path)
        assert await source.find(KEY) is None
        registry.add(tag_of("a0"), image_of("a0"))
        found = await source.find(KEY)
        assert found is not None
        assert found.reference == f"{registry.repository}:{tag_of('a0')}"
        del registry.tags[tag_of("a0")]
        assert await source.find(KEY) is None, "it is gone from the registry"


async def test_while_the_registry_refuses_what_is_known_is_believed(
    http: httpx.AsyncClient, tmp_path: Path
) -> None:
    async with FakeRegistry() as registry:
        registry.add(tag_of("a0"), image_of("a0"))
        source = in_registry(registry, http, tmp_path)
        await source.note_launch(KEY)
        [(image, used)] = await source.records()
        assert (image.key, used) == (KEY, Clock().now)
        registry.auth = "basic"  # our client has no password
        assert await source.find(KEY) is not None, "its nodes may have it"
        assert await source.find(SPEC.image_key("b0")) is None
        assert [each.key for each, _ in await source.records()] == [KEY]


class Nodes:
    """Nodes as the test has them."""

    def __init__(self) -> None:
        self.there: Sequence[Node] | None = None

    async def __call__(self) -> Sequence[Node] | None:
        return self.there


async def on_nodes(folder: Path, clock: Clock, nodes: Nodes) -> OnNodes:
    built = BuiltImages(path=folder / "built.json", now=clock)
    await built.load()
    last_used = LastUsed(path=folder / "last-used.json", clock=clock)
    return OnNodes(built=built, nodes=nodes, last_used=last_used, now=clock)


async def test_without_a_registry_the_nodes_are_believed_after_a_while(tmp_path: Path) -> None:
    clock, nodes = Clock(), Nodes()
    built = BuiltImages(path=tmp_path / "built.json", now=clock)
    await built.note(IMAGE)
    source = await on_nodes(tmp_path, clock, nodes)  # as after a restart
    assert await source.find(KEY) == IMAGE, "nodes may not be read"
    nodes.there = [read_node(node(images=["other:1"]))]
    assert await source.find(KEY) == IMAGE, "a node tells late of what was just built"
    clock.now += 3600
    nodes.there = [read_node(node(images=[IMAGE.reference]))]
    assert await source.find(KEY) == IMAGE
    nodes.there = [read_node(node(images=[f"other:{number}" for number in range(50)]))]
    assert await source.find(KEY) == IMAGE, "a node names fifty images at most"
    nodes.there = [read_node(node(images=["other:1"]))]
    assert await source.find(KEY) is None
    assert await source.records() == []
    nodes.there = None
    assert await (await on_nodes(tmp_path, clock, nodes)).find(KEY) is None, "it is forgotten"
