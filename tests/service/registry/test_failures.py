"""A registry that refuses, stumbles, is slow, is something else, or is not there."""

import asyncio

import httpx
import pytest
from aiohttp import web

from binder_federation.cluster_agent.registry.client import RegistryClient
from binder_federation.cluster_agent.registry.errors import (
    DeletionUnsupported,
    ImageUnreadable,
    RegistryDenied,
    RegistryUnavailable,
)
from binder_federation.runtime.errors import Fault
from tests.support.fake_registry import NAME, FakeRegistry
from tests.support.ports import free_port
from tests.support.registry_clients import make_client
from tests.support.registry_contract import image_of, soon, tag_of
from tests.support.registry_images import make_image, make_index

TAG = tag_of("c0ffee")


@pytest.fixture
def client(registry: FakeRegistry, http: httpx.AsyncClient) -> RegistryClient:
    registry.add(TAG, image_of("c0ffee"))
    return make_client(registry, http)


@pytest.mark.parametrize("operation", ["manifest", "blob"])
@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_what_fails_in_passing_is_tried_again(
    registry: FakeRegistry, client: RegistryClient, operation: str, status: int
) -> None:
    registry.fail_next(operation, status, status)
    assert await client.find(TAG, deadline=soon()) is not None
    assert registry.calls[operation] == 3


async def test_what_keeps_failing_is_given_up(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.fail_next("tags", *[503] * 20)
    with pytest.raises(RegistryUnavailable, match="503") as caught:
        await client.list_tags(deadline=soon())
    assert caught.value.fault is Fault.MEMBER
    assert registry.calls["tags"] == 5


async def test_a_pause_longer_than_the_deadline_is_not_begun(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.retry_after = "3600"
    registry.fail_next("tags", 429)
    with pytest.raises(RegistryUnavailable, match="429") as caught:
        await client.list_tags(deadline=soon())
    assert caught.value.retry_after_seconds == 3600
    assert registry.calls["tags"] == 1


async def test_the_deadline_ends_waiting(registry: FakeRegistry, client: RegistryClient) -> None:
    registry.slow = asyncio.Event()
    with pytest.raises(RegistryUnavailable, match="in time"):
        await client.find(TAG, deadline=soon(0.2))
    registry.slow.set()


async def test_a_registry_that_is_gone(http: httpx.AsyncClient, registry: FakeRegistry) -> None:
    client = make_client(registry, http, url=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(RegistryUnavailable, match="does not answer") as caught:
        await client.ping(deadline=soon())
    assert "registry.url" in caught.value.advice


async def test_another_scheme_than_the_registrys(
    http: httpx.AsyncClient, registry: FakeRegistry
) -> None:
    client = make_client(registry, http, url=registry.url.replace("http://", "https://"))
    with pytest.raises(RegistryUnavailable, match="does not answer"):
        await client.ping(deadline=soon())


async def test_something_else_at_its_address_does_not_make_images_look_gone(
    http: httpx.AsyncClient, registry: FakeRegistry
) -> None:
    client = make_client(registry, http, url=registry.token_url)  # a server without those paths
    for ask in (
        client.ping(deadline=soon()),
        client.list_tags(deadline=soon()),
        client.find(TAG, deadline=soon()),
        client.fetch_digest(TAG, deadline=soon()),
        client.delete(TAG, deadline=soon()),
    ):
        with pytest.raises(RegistryUnavailable, match="status 404"):
            await ask


@pytest.mark.parametrize("body", ["<html>", "[]", '{"tags": 3}', '{"tags": [3]}'])
async def test_nonsense_is_the_registrys_failure(
    http: httpx.AsyncClient, registry: FakeRegistry, body: str
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        client = make_client(registry, http, url=url)
        with pytest.raises(RegistryUnavailable, match="cannot be read"):
            await client.list_tags(deadline=soon())
        with pytest.raises(ImageUnreadable):
            await client.find(TAG, deadline=soon())
    finally:
        await runner.cleanup()


async def test_an_answer_without_end_is_cut_off(
    http: httpx.AsyncClient, registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.add("large", make_image({"label": "x" * 9_000_000}))
    with pytest.raises(ImageUnreadable, match="too large"):
        await client.find("large", deadline=soon())


async def test_a_list_without_end_is_given_up(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.link_forever = True
    with pytest.raises(RegistryUnavailable, match="does not end"):
        await client.list_tags(deadline=soon())
    assert registry.calls["tags"] == 1


async def test_a_digest_that_is_not_told_is_computed(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.tells_digests = False
    digest = registry.tags[TAG]
    assert await client.fetch_digest(TAG, deadline=soon()) == digest
    found = await client.find(TAG, deadline=soon())
    assert found is not None
    assert found.digest == digest


async def test_an_image_without_its_config_is_unreadable(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.blobs.clear()
    with pytest.raises(ImageUnreadable, match="not its config"):
        await client.find(TAG, deadline=soon())


async def test_a_list_of_platforms_without_the_image_is_unreadable(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    image = image_of("decade")
    registry.add("listed", make_index({"amd64": image}))
    del registry.manifests[image.top.digest]
    with pytest.raises(ImageUnreadable, match="leads to no image"):
        await client.find("listed", deadline=soon())


async def test_a_redirect_that_has_run_out_is_asked_for_again(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.redirects_blobs = True
    registry.fail_next("store", 403)
    assert await client.find(TAG, deadline=soon()) is not None
    assert registry.calls["blob"] == 2


async def test_a_registry_that_does_not_delete_says_what_to_do(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.deletes = False
    with pytest.raises(DeletionUnsupported, match="does not delete") as caught:
        await client.delete(TAG, deadline=soon())
    assert "storage.delete.enabled" in caught.value.advice
    assert TAG in registry.tags


async def test_where_tags_go_first_they_do(registry: FakeRegistry, client: RegistryClient) -> None:
    registry.untag_first = True
    assert await client.delete(TAG, deadline=soon()) is True
    assert (registry.tags, registry.manifests) == ({}, {})


async def test_deletion_that_was_not_allowed_is_not_tried(
    registry: FakeRegistry, http: httpx.AsyncClient
) -> None:
    registry.add(TAG, image_of("c0ffee"))
    client = make_client(registry, http, allow_delete=False)
    with pytest.raises(DeletionUnsupported, match="settings") as caught:
        await client.delete(TAG, deadline=soon())
    assert "registry.allow_delete" in caught.value.advice
    assert registry.calls.total() == 0


async def test_what_was_begun_to_see_whether_it_may_push_is_given_up(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    await client.check_push(deadline=soon())
    assert (registry.calls["upload"], registry.uploads) == (1, set())
    registry.fail_next("give_up", 405)
    await client.check_push(deadline=soon())
    assert len(registry.uploads) == 1


async def test_a_repository_that_must_be_made_first(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.wants_to_be_made = True
    with pytest.raises(RegistryDenied, match="does not have the repository") as caught:
        await client.check_push(deadline=soon())
    assert "registry.repository" in caught.value.advice


async def test_a_name_of_its_own_for_the_agent(
    registry: FakeRegistry, http: httpx.AsyncClient
) -> None:
    registry.add(TAG, image_of("c0ffee"))
    elsewhere = f"registry.invalid:5000/{NAME}"
    client = make_client(registry, http, repository=elsewhere, url=registry.url)
    assert await client.list_tags(deadline=soon()) == [TAG]


async def test_a_forbidden_registry_is_denied_at_once(http: httpx.AsyncClient) -> None:
    async with FakeRegistry(auth="basic") as registry:
        registry.granted = {"pull"}
        client = make_client(registry, http)
        registry.add(TAG, image_of("c0ffee"))
        with pytest.raises(RegistryDenied, match="push"):
            await client.check_push(deadline=soon())
        with pytest.raises(RegistryDenied, match="delete"):
            await client.delete(TAG, deadline=soon())
        assert registry.calls["delete"] == 1
