"""Redis stops, forgets, is late, is not there yet: replicas serve on and find together."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from binder_federation.binder.messages import ImageRecord
from binder_federation.binder.spec import ImageKey
from binder_federation.config.federation import RedisSettings
from binder_federation.federation.shared.bus import Topic
from binder_federation.federation.shared.context import Shared
from binder_federation.federation.shared.presence import RedisPresence
from tests.support.eventually import eventually
from tests.support.redis_fixtures import NOW, fresh, open_replica, settle, store_of
from tests.support.redis_servers import DelayProxy, RedisServer, delay_proxy

REPOSITORY = "gh/owner/repository"
NEVER_SECONDS = 3600.0
"""A delay that no test outlasts: who waits for an answer hangs."""
HANGS_SECONDS = 20.0


@pytest.fixture
async def proxy(redis_server: RedisServer) -> AsyncIterator[DelayProxy]:
    async with delay_proxy(redis_server) as proxy:
        yield proxy


def key(number: int) -> ImageKey:
    return ImageKey(f"{number:032x}")


def record(number: int) -> ImageRecord:
    return ImageRecord(key=key(number), repository=REPOSITORY, size_bytes=1_000_000)


async def holders(shared: Shared, number: int) -> set[str]:
    facts = await shared.store.facts(key(number), REPOSITORY, now=NOW)
    return set(facts.holders)


async def is_usable(shared: Shared) -> bool:
    assert shared.redis is not None
    return not shared.redis.is_open


async def has_failed(shared: Shared, kind: str) -> bool:
    assert shared.redis is not None
    samples = [each for metric in shared.redis.metrics.failed.collect() for each in metric.samples]
    return any(each.labels["kind"] == kind and each.value for each in samples)


async def until_usable(shared: Shared) -> None:
    await eventually(lambda: is_usable(shared), what="the breaker to close again")


async def until_open(shared: Shared) -> None:
    """Launch after launch finds nothing, until Redis is not asked any more."""
    numbers = iter(range(1000, 100_000))

    async def is_open() -> bool:
        await holders(shared, next(numbers))
        return not await is_usable(shared)

    await eventually(is_open, what="the breaker to open")


async def until_held(shared: Shared, number: int, members: set[str]) -> None:
    async def is_held() -> bool:
        return await holders(shared, number) == members

    await eventually(is_held, what=f"a replica to know that {members} hold image {number}")


async def beat(*replicas: Shared) -> None:
    for shared in replicas:
        assert isinstance(shared.presence, RedisPresence)
        await shared.presence.beat()


async def facts_in_redis(settings: RedisSettings) -> int:
    """How many facts a replica would find that starts now."""
    async with open_replica(settings) as late:
        await settle(late)
        return store_of(late).mirror.images.value_count


async def test_a_stopped_redis_stops_nothing(redis_server: RedisServer) -> None:
    settings = fresh(redis_server)
    async with open_replica(settings) as one, open_replica(settings) as other:
        await one.store.replace_inventory("alpha", [record(1)], now=NOW)
        await settle(one)
        await until_held(other, 1, {"alpha"})
        redis_server.stop()
        async with asyncio.timeout(HANGS_SECONDS):
            await until_open(one)
            await until_open(other)
            assert await holders(other, 1) == {"alpha"}, "the mirror serves without Redis"
            await one.store.note_image("beta", record(1), now=NOW)
            await one.store.forget_image("alpha", key(1))
            lease = await one.store.take_lease(key(2), "alpha", now=NOW)
            assert lease.member == "alpha", "a lease is given without Redis, too"
            await one.store.release_lease(key(2), "alpha")
            one.bus.publish(Topic.DECISION, b"lost")
            one.last_reports.publish("alpha", b"{}")
            assert await one.last_reports.load_all() == {}
            assert await one.refs.get("gh:owner/repository@HEAD") is None
        redis_server.start()
        await until_usable(one)
        await until_usable(other)
        await until_held(other, 1, {"beta"})


async def test_a_write_that_failed_is_written_later(
    redis_server: RedisServer, proxy: DelayProxy
) -> None:
    settings = fresh(redis_server)
    through_proxy = settings.model_validate(settings.model_dump() | {"url": proxy.url})
    async with open_replica(through_proxy) as one, open_replica(settings) as other:
        await settle(one)
        proxy.is_refusing = True
        proxy.cut()
        await one.store.note_image("alpha", record(1), now=NOW)
        await eventually(lambda: has_failed(one, "facts"), what="the write of a fact to fail")
        proxy.is_refusing = False
        await until_held(other, 1, {"alpha"})


async def test_after_a_flush_facts_and_leases_come_back(redis_server: RedisServer) -> None:
    settings = fresh(redis_server)
    async with open_replica(settings) as one, open_replica(settings) as other:
        await one.store.replace_inventory("alpha", [record(n) for n in range(50)], now=NOW)
        lease = await one.store.take_lease(key(99), "beta", now=NOW)
        await settle(one)
        await until_held(other, 49, {"alpha"})
        redis_server.flush()
        assert await holders(one, 7) == {"alpha"}, "the mirror serves after a flush"
        await beat(one, other)
        assert one.store.needs_whole_inventory("alpha"), "the member must be asked for all it has"
        await settle(one, other)
        assert await facts_in_redis(settings) == 50, "the mirror must be written back"
        async with open_replica(settings) as late:
            await settle(late)
            assert await late.store.take_lease(key(99), "gamma", now=NOW + 1) == lease, (
                "a lease under way outlives a flush"
            )


async def test_one_whole_inventory_after_a_flush_is_enough(redis_server: RedisServer) -> None:
    settings = fresh(redis_server)
    async with open_replica(settings) as one, open_replica(settings) as other:
        await one.store.replace_inventory("alpha", [record(1), record(2)], now=NOW)
        await settle(one)
        await until_held(other, 2, {"alpha"})
        redis_server.flush()
        await beat(one, other)
        await settle(one, other)
        redis_server.flush()  # now nothing but the inventory brings it back
        assert other.store.needs_whole_inventory("alpha")
        await one.store.replace_inventory("alpha", [record(1), record(2)], now=NOW)
        assert not one.store.needs_whole_inventory("alpha")

        async def is_told() -> bool:
            return not other.store.needs_whole_inventory("alpha")

        await eventually(is_told, what="the other replica to hear of the whole inventory")
        await settle(one)
        assert await facts_in_redis(settings) == 2, "all of it is written, not what changed"


async def test_a_late_redis_is_soon_not_asked(redis_server: RedisServer, proxy: DelayProxy) -> None:
    settings = fresh(redis_server, url=proxy.url, deadline_seconds=0.025)
    async with open_replica(settings) as one:
        await one.store.note_image("alpha", record(1), now=NOW)
        await until_usable(one)
        proxy.delay_seconds = NEVER_SECONDS
        async with asyncio.timeout(HANGS_SECONDS):
            await until_open(one)
            assert await holders(one, 1) == {"alpha"}
            assert (await one.store.take_lease(key(2), "alpha", now=NOW)).member == "alpha"
        proxy.delay_seconds = 0.0
        proxy.cut()
        await until_usable(one)


async def test_a_replica_starts_without_redis_and_finds_it_later(
    redis_server: RedisServer,
) -> None:
    settings = fresh(redis_server, background_deadline_seconds=1.0)
    async with open_replica(settings) as before:
        await before.store.note_image("alpha", record(1), now=NOW)
        await settle(before)
        redis_server.stop()
        async with asyncio.timeout(HANGS_SECONDS), open_replica(settings) as late:
            assert await holders(late, 1) == set()
            await late.store.note_image("beta", record(2), now=NOW)
            assert await holders(late, 2) == {"beta"}
            redis_server.start()
            await until_held(late, 1, {"alpha"})
            await until_held(before, 2, {"beta"})


async def test_a_silent_redis_delays_a_start_by_its_deadline(
    redis_server: RedisServer, proxy: DelayProxy
) -> None:
    proxy.delay_seconds = NEVER_SECONDS
    settings = fresh(redis_server, url=proxy.url, background_deadline_seconds=0.2)
    async with asyncio.timeout(HANGS_SECONDS), open_replica(settings) as late:
        assert await holders(late, 1) == set()


async def test_an_inventory_before_the_facts_are_read_counts(
    redis_server: RedisServer, proxy: DelayProxy
) -> None:
    """A member reports to a replica that could not read yet what others said of it before."""
    settings = fresh(redis_server)
    through_proxy = settings.model_validate(settings.model_dump() | {"url": proxy.url})
    async with open_replica(settings) as one:
        await one.store.replace_inventory("alpha", [record(1), record(2)], now=NOW)
        await settle(one)
        proxy.is_refusing = True
        async with open_replica(through_proxy) as late:
            await late.store.replace_inventory("alpha", [record(1)], now=NOW)
            proxy.is_refusing = False
            await settle(late)
            assert await holders(late, 2) == set(), "what Redis had is older than the inventory"
            await until_held(one, 2, set())


async def test_who_missed_news_reads_the_facts_again(
    redis_server: RedisServer, proxy: DelayProxy
) -> None:
    settings = fresh(redis_server)
    through_proxy = settings.model_validate(
        settings.model_dump() | {"url": proxy.url, "background_deadline_seconds": 1.0}
    )
    async with open_replica(settings) as one, open_replica(through_proxy) as other:
        await one.store.replace_inventory("alpha", [record(1), record(2)], now=NOW)
        await settle(one)
        await until_held(other, 2, {"alpha"})
        proxy.is_refusing = True
        proxy.cut()
        await one.store.replace_inventory("alpha", [record(1), record(3)], now=NOW)
        await settle(one)
        assert one.redis is not None
        client = redis_server.client()
        client.xtrim(one.redis.keys.facts, maxlen=0, approximate=False)
        client.close()
        proxy.is_refusing = False

        async def is_right() -> bool:
            known = store_of(other).mirror
            return [known.fact(bytes.fromhex(key(n)), "alpha") > 0 for n in (1, 2, 3)] == [
                True,
                False,
                True,
            ]

        await eventually(is_right, what="the replica that was away to read the facts again")


async def test_more_than_can_be_remembered_is_written_all(redis_server: RedisServer) -> None:
    """Far more facts change than the outbox holds: the mirror is written, the others read."""
    settings = fresh(redis_server)
    async with open_replica(settings) as one, open_replica(settings) as other:
        await settle(one, other)
        store = store_of(one)
        store._writer._outbox._most_items = 100
        await one.store.replace_inventory("alpha", [record(n) for n in range(1000)], now=NOW)
        await settle(one)

        async def has_all() -> bool:
            return store_of(other).mirror.image_count("alpha") == 1000

        await eventually(has_all, what="the other replica to read all facts")
