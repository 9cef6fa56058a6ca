"""Tokens and passwords: what is asked for, how often, and who is shown what."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from binder_federation.cluster_agent.registry.authorizer import Access, Authorizer
from binder_federation.cluster_agent.registry.credentials.base import RegistryLogin
from binder_federation.cluster_agent.registry.credentials.static import StaticCredentials
from binder_federation.cluster_agent.registry.errors import RegistryDenied, RegistryUnavailable
from tests.support.fake_registry import NAME, PASSWORD, USERNAME, FakeRegistry
from tests.support.registry_clients import LOGIN, Clock, make_client
from tests.support.registry_contract import image_of, soon, tag_of

TAG = tag_of("c0ffee")


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    """One that wants tokens."""
    async with FakeRegistry(auth="token") as made:
        made.add(TAG, image_of("c0ffee"))
        yield made


async def test_one_token_serves_many_requests(
    registry: FakeRegistry, http: httpx.AsyncClient
) -> None:
    client = make_client(registry, http)
    found = await asyncio.gather(*(client.find(TAG, deadline=soon()) for _ in range(8)))
    assert None not in found
    assert registry.calls["token"] == 1, "eight at once need one token"
    await client.delete(TAG, deadline=soon())
    assert registry.calls["token"] == 2, "deleting needs a token of its own"


async def test_a_token_is_renewed_before_its_end(
    registry: FakeRegistry, http: httpx.AsyncClient
) -> None:
    clock = Clock()
    client = make_client(registry, http, clock=clock)
    for seconds, tokens in [(0, 1), (260, 1), (15, 2), (260, 2)]:
        clock.now += seconds
        await client.list_tags(deadline=soon())
        assert registry.calls["token"] == tokens


async def test_a_life_that_is_not_told_is_a_minute(
    registry: FakeRegistry, http: httpx.AsyncClient
) -> None:
    clock = Clock()
    registry.token_seconds = None
    client = make_client(registry, http, clock=clock)
    for seconds, tokens in [(0, 1), (40, 1), (10, 2)]:
        clock.now += seconds
        await client.list_tags(deadline=soon())
        assert registry.calls["token"] == tokens


async def test_a_token_that_is_refused_is_replaced_once_for_all(
    registry: FakeRegistry, http: httpx.AsyncClient
) -> None:
    client = make_client(registry, http)
    await client.list_tags(deadline=soon())
    registry.revoke_tokens()
    await asyncio.gather(*(client.list_tags(deadline=soon()) for _ in range(8)))
    assert registry.calls["token"] == 2


async def test_a_token_that_allows_too_little_is_denied(
    registry: FakeRegistry, http: httpx.AsyncClient
) -> None:
    registry.granted = {"pull"}
    client = make_client(registry, http)
    with pytest.raises(RegistryDenied, match="delete") as caught:
        await client.delete(TAG, deadline=soon())
    assert "credentials" in caught.value.advice
    assert TAG in registry.tags


async def test_a_scope_of_the_registrys_own_is_asked_for(
    registry: FakeRegistry, http: httpx.AsyncClient
) -> None:
    registry.delete_action = "*"
    registry.granted = {"pull", "delete", "*"}
    assert await make_client(registry, http).delete(TAG, deadline=soon()) is True


@pytest.mark.parametrize("auth", ["token", "basic"])
async def test_a_wrong_password_is_denied_and_not_tried_again(
    http: httpx.AsyncClient, auth: str
) -> None:
    async with FakeRegistry(auth="token" if auth == "token" else "basic") as registry:
        client = make_client(registry, http, **{**LOGIN, "password": "wrong-password"})
        with pytest.raises(RegistryDenied) as caught:
            await client.ping(deadline=soon())
        assert "wrong-password" not in f"{caught.value.message} {caught.value.advice}"
        assert registry.calls["ping"] + registry.calls["token"] == 2


async def test_no_password_where_one_is_wanted(http: httpx.AsyncClient) -> None:
    async with FakeRegistry(auth="basic") as registry:
        none: dict[str, Any] = {"credentials": "none", "username": "", "password": None}
        client = make_client(registry, http, **none)
        with pytest.raises(RegistryDenied, match="there are none") as caught:
            await client.ping(deadline=soon())
        assert "registry.credentials" in caught.value.advice


async def test_tokens_for_everybody_are_taken_without_a_password(
    registry: FakeRegistry, http: httpx.AsyncClient
) -> None:
    registry.gives_tokens_to_all = True
    none: dict[str, Any] = {"credentials": "none", "username": "", "password": None}
    client = make_client(registry, http, **none)
    assert await client.list_tags(deadline=soon()) == [TAG]
    with pytest.raises(RegistryDenied, match="push"):
        await client.check_push(deadline=soon())


async def test_a_token_server_that_stumbles(
    registry: FakeRegistry, http: httpx.AsyncClient
) -> None:
    registry.fail_next("token", 500, 429)
    client = make_client(registry, http)
    assert await client.list_tags(deadline=soon()) == [TAG]
    assert registry.calls["token"] == 3


@pytest.mark.parametrize("answer", ["<html>", "{}", '{"token": ""}', '{"token": null}', "[]"])
async def test_a_token_server_that_answers_nonsense(
    registry: FakeRegistry, http: httpx.AsyncClient, answer: str
) -> None:
    registry.token_answer = answer
    with pytest.raises(RegistryUnavailable, match="cannot be understood"):
        await make_client(registry, http).list_tags(deadline=soon())


async def test_a_token_server_that_is_gone(registry: FakeRegistry, http: httpx.AsyncClient) -> None:
    registry.challenge = 'Bearer realm="http://127.0.0.1:9/token",service="s"'
    with pytest.raises(RegistryUnavailable, match="token server does not answer") as caught:
        await make_client(registry, http).list_tags(deadline=soon())
    assert "127.0.0.1:9" in caught.value.advice


@pytest.mark.parametrize("realm", ["ftp://auth.example.org", "", "//auth.example.org", "file:///"])
async def test_a_strange_token_server_is_not_shown_our_password(
    registry: FakeRegistry, http: httpx.AsyncClient, realm: str
) -> None:
    registry.challenge = f'Bearer realm="{realm}",service="s"'
    with pytest.raises(RegistryDenied, match="https"):
        await make_client(registry, http).list_tags(deadline=soon())


async def test_a_token_server_in_the_clear_is_not_shown_the_password_of_a_safe_registry(
    registry: FakeRegistry, http: httpx.AsyncClient
) -> None:
    authorizer = Authorizer(
        name=NAME,
        api_url="https://registry.example.org",
        client=http,
        credentials=StaticCredentials(login=RegistryLogin(USERNAME, PASSWORD)),
        timeout_seconds=5,
        clock=Clock(),
    )
    wanted = {"WWW-Authenticate": f'Bearer realm="{registry.token_url}/token"'}
    authorizer.learn(httpx.Response(401, headers=wanted), Access.PULL, None)
    with pytest.raises(RegistryDenied, match="https"):
        await authorizer.authorization(Access.PULL)
    assert registry.calls["token"] == 0


async def test_a_challenge_that_nobody_knows(
    registry: FakeRegistry, http: httpx.AsyncClient
) -> None:
    registry.challenge = "Negotiate"
    with pytest.raises(RegistryDenied, match="not known here"):
        await make_client(registry, http).list_tags(deadline=soon())
