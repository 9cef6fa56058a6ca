"""The hub's API where the hub, or what stands before it, answers nonsense."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from aiohttp import web

from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.hub_api import HubApi, HubUnavailable, RetryPolicy
from tests.support.fake_hub import FakeHub

SOMEBODY = ServerName("somebody")
POLICY = RetryPolicy(retries=3, first_seconds=0.01)


def soon(seconds: float = 5.0) -> float:
    return asyncio.get_running_loop().time() + seconds


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as made:
        yield made


class NonsenseHub:
    """Something else answers at the hub's address."""

    api_token = "x"

    def __init__(self, url: str) -> None:
        self.api_url = self.public_url = self.proxy_url = url


@pytest.mark.parametrize("body", ["<html>", "[1]", '{"items": 3}', '{"name": 3}'])
async def test_nonsense_is_the_hubs_failure(client: httpx.AsyncClient, body: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hub = NonsenseHub(f"http://127.0.0.1:{runner.addresses[0][1]}")
    api = HubApi(client=client, hub=hub, policy=POLICY)
    try:
        with pytest.raises(HubUnavailable):
            await api.users(deadline=soon())
        with pytest.raises(HubUnavailable):
            await api.user("somebody", deadline=soon())
        assert await api.server_status(SOMEBODY, "token") is None
    finally:
        await runner.cleanup()


async def test_a_hub_that_is_gone_is_unavailable(client: httpx.AsyncClient) -> None:
    api = HubApi(client=client, hub=NonsenseHub("http://127.0.0.1:9"), policy=POLICY)
    with pytest.raises(HubUnavailable, match="does not answer"):
        await api.create_user("somebody", deadline=soon())


async def test_the_deadline_ends_retries(client: httpx.AsyncClient) -> None:
    async with FakeHub() as hub:
        hub.always["create_user"] = 500
        slow = RetryPolicy(retries=100, first_seconds=60)
        api = HubApi(client=client, hub=hub, policy=slow)
        with pytest.raises(HubUnavailable, match="in time"):
            await api.create_user("somebody", deadline=soon(0.2))
        assert hub.calls["create_user"] == 1


async def test_a_start_that_got_through_although_it_seemed_to_fail(
    client: httpx.AsyncClient,
) -> None:
    async with FakeHub() as hub:
        api = HubApi(client=client, hub=hub, policy=POLICY)
        for _ in range(2):
            await api.create_user("somebody", deadline=soon())
        await api.start_server(SOMEBODY, {"token": "t"}, deadline=soon())
        hub.finish()
        await api.start_server(SOMEBODY, {"token": "t"}, deadline=soon())
        assert len(hub.servers) == 1
