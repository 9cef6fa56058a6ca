"""Limits of several replicas, on a real Valkey, and while it is gone."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from redis import Redis

from tests.support.eventually import eventually
from tests.support.fake_member import FakeMember
from tests.support.federation_server import SHA, FederationServer, running_federation
from tests.support.redis_fixtures import fresh
from tests.support.redis_servers import RedisServer

KEY = "gh/owner/repository"
PATH = f"{KEY}/{SHA}"
VISITOR = {"Accept": "text/event-stream", "X-Forwarded-For": "203.0.113.7"}
SETTINGS: dict[str, Any] = {
    "trusted_proxies": ["127.0.0.0/8"],
    "policy": {"rate_limit": {"launches": 3}, "quotas": {"sessions_per_repository": 4}},
}
Pair = tuple[FederationServer, FederationServer]


@pytest.fixture
async def pair(alpha: FakeMember, redis_server: RedisServer) -> AsyncIterator[Pair]:
    redis = fresh(redis_server)
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(running_federation([alpha], redis=redis, **SETTINGS))
        two = await stack.enter_async_context(running_federation([alpha], redis=redis, **SETTINGS))
        yield one, two


async def begin(server: FederationServer, query: str = "") -> tuple[int, str]:
    """A launch's status, and what is left of the rate limit."""
    url = f"/build/{PATH}{query}"
    async with server.client.stream("GET", url, headers=VISITOR) as answer:
        return answer.status_code, answer.headers.get("x-ratelimit-remaining", "")


async def test_replicas_count_together(pair: Pair) -> None:
    one, two = pair
    assert [await begin(one), await begin(two), await begin(one), await begin(two)] == [
        (200, "2"),
        (200, "1"),
        (200, "0"),
        (429, "0"),
    ]


async def test_counts_end_with_their_window(pair: Pair, redis_server: RedisServer) -> None:
    await begin(pair[0])
    with Redis(unix_socket_path=str(redis_server.socket)) as client:
        [name] = client.keys("*rate:203.0.113.7")
        assert 3590 < client.ttl(name) <= 3600


async def test_nobody_is_refused_because_redis_is_gone(
    pair: Pair, redis_server: RedisServer
) -> None:
    one, two = pair
    assert await begin(one) == (200, "2")
    redis_server.stop()
    assert await begin(one) == (200, "1"), "what was known is counted on from"
    assert await begin(two) == (200, "2"), "this one knows of none"
    assert [(await begin(one))[0], (await begin(one))[0]] == [200, 429]


async def test_a_page_of_one_replica_launches_at_the_other(pair: Pair) -> None:
    one, two = pair
    for page_of, launches_at in ((one, two), (two, one)):
        page = await page_of.client.get(f"/v2/{PATH}", headers=VISITOR)
        found = re.search(r"ey[\w-]+\.[\w-]+\.[\w-]+", page.text)
        assert found
        headers = {**VISITOR, "Host": page_of.url.removeprefix("http://")}
        url = f"/build/{PATH}?build_token={found[0]}"
        async with launches_at.client.stream("GET", url, headers=headers) as answer:
            limit = answer.headers["x-ratelimit-limit"]
            assert (answer.status_code, limit) == (200, "100"), "the limit of pages"


async def test_replicas_that_began_without_redis_agree_on_a_key_later(
    alpha: FakeMember, redis_server: RedisServer
) -> None:
    redis = fresh(redis_server)
    redis_server.stop()
    async with AsyncExitStack() as stack:
        one, two = [
            await stack.enter_async_context(running_federation([alpha], redis=redis, **SETTINGS))
            for _ in range(2)
        ]
        keys = [server.context.limits.shared_key for server in (one, two)]
        before = keys[1].keys()[0]
        assert before != keys[0].keys()[0]
        redis_server.start()

        async def agree() -> bool:
            for key in keys:
                await key.agree()
            return keys[0].keys()[0] == keys[1].keys()[0]

        await eventually(agree, what="the replicas to sign with one key")
        accepted = keys[1].keys()
        assert before in accepted, "tokens from before are still good"


async def test_launches_at_one_replica_count_at_the_other(pair: Pair) -> None:
    one, two = pair
    for number, server in enumerate((one, two, one, two), start=1):
        await server.launch(PATH)
        for each in pair:

            async def knows(each: FederationServer = each, number: int = number) -> bool:
                return each.context.limits.sessions.tally.of(KEY) == number

            await eventually(knows, what=f"a replica to know of {number} sessions")
    refused = [await server.launch(PATH) for server in pair]
    assert {seen.last.fields["code"] for seen in refused} == {"repo_quota"}
