"""What every ref cache does: in memory, in Redis, in Valkey."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from binder_federation.binder.providers.base import Missing, Resolved
from binder_federation.binder.ref_cache import CachedRef, RefCache
from tests.support.eventually import eventually
from tests.support.redis_fixtures import NOW, RedisServers, fresh, open_replica
from tests.support.redis_servers import RedisServer

KEY = "gh:owner/repository@feature/ü ?"
ENTRY = CachedRef(Resolved("c0ffee", 'W/"etag"'), learned_at=NOW - 10, asked_at=NOW - 10)


@pytest.fixture(params=["memory", "valkey", "redis"])
async def cache(
    request: pytest.FixtureRequest, redis_servers: RedisServers
) -> AsyncIterator[RefCache]:
    kind = request.param
    redis = None if kind == "memory" else fresh(redis_servers.get(kind))
    async with open_replica(redis) as shared:
        yield shared.refs


async def test_what_was_put_is_found(cache: RefCache) -> None:
    assert await cache.get(KEY) is None
    await cache.put(KEY, ENTRY)
    assert await cache.get(KEY) == ENTRY
    assert await cache.get("gh:owner/other@HEAD") is None


async def test_an_old_entry_is_found_too(cache: RefCache) -> None:
    old = replace(ENTRY, learned_at=NOW - 9000, asked_at=NOW - 9000, trouble="It is down.")
    await cache.put(KEY, old)
    assert await cache.get(KEY) == old


async def test_the_last_entry_counts(cache: RefCache) -> None:
    await cache.put(KEY, ENTRY)
    missing = CachedRef(Missing("ref", "There is no such ref."), learned_at=NOW, asked_at=NOW)
    await cache.put(KEY, missing)
    assert await cache.get(KEY) == missing


async def test_replicas_find_each_others_answers(redis_server: RedisServer) -> None:
    settings = fresh(redis_server)
    async with open_replica(settings) as one, open_replica(settings) as other:
        for answer in (Resolved("c0ffee", "etag"), Missing("repository", "It is gone.")):
            entry = CachedRef(answer, learned_at=NOW, asked_at=NOW, trouble="Slow.")
            await one.refs.put(answer.__class__.__name__, entry)

            async def is_found(name: str = answer.__class__.__name__) -> bool:
                return await other.refs.get(name) is not None

            await eventually(is_found, what="the other replica to find the answer")
            assert await other.refs.get(answer.__class__.__name__) == entry


async def test_a_younger_answer_of_another_replica_counts(redis_server: RedisServer) -> None:
    settings = fresh(redis_server)
    async with open_replica(settings) as one, open_replica(settings) as other:
        await other.refs.put(KEY, replace(ENTRY, asked_at=NOW - 100))
        younger = replace(ENTRY, answer=Resolved("decaf", "new"), asked_at=NOW - 1)
        await one.refs.put(KEY, younger)

        async def is_found() -> bool:
            return await other.refs.get(KEY) == younger

        await eventually(is_found, what="the younger answer to be used by the other replica")
