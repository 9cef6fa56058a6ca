"""Who lives, and whether Redis is the one that we knew."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from prometheus_client import CollectorRegistry

from binder_federation.config.federation import RedisSettings
from binder_federation.federation.shared.connection import open_connection
from binder_federation.federation.shared.presence import GRACE_SECONDS, RedisPresence
from binder_federation.runtime.tasks import BackgroundTasks
from tests.support.redis_fixtures import fresh
from tests.support.redis_servers import RedisServer


class Replica:
    """A heartbeat that the test beats."""

    def __init__(self, presence: RedisPresence, replica_id: str) -> None:
        self.presence = presence
        self.id = replica_id
        self.now = 1000.0
        self.flushed: list[str] = []


@asynccontextmanager
async def open_presence(
    settings: RedisSettings, *, grace_seconds: float = 0.0
) -> AsyncIterator[Replica]:
    tasks = BackgroundTasks()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(tasks.aclose)
        connection = await stack.enter_async_context(
            open_connection(settings, tasks=tasks, registry=CollectorRegistry())
        )
        presence = RedisPresence(
            connection=connection,
            on_flushed=lambda epoch: replica.flushed.append(epoch),
            grace_seconds=grace_seconds,
            monotonic=lambda: replica.now,
        )
        replica = Replica(presence, connection.replica_id)
        stack.push_async_callback(presence.aclose)
        await presence.beat()
        yield replica


async def test_one_that_left_is_gone(redis_server: RedisServer) -> None:
    settings = fresh(redis_server)
    async with open_presence(settings) as one:
        async with open_presence(settings) as other:
            assert await one.presence.is_alive(other.id)
            assert await other.presence.is_alive(one.id)
            assert await one.presence.is_alive(one.id)
        assert not await one.presence.is_alive(other.id), (
            "a replica that left must be known as gone"
        )


async def test_a_young_redis_has_not_heard_everybody(redis_server: RedisServer) -> None:
    settings = fresh(redis_server)
    async with open_presence(settings, grace_seconds=GRACE_SECONDS * 1000) as one:
        assert await one.presence.is_alive("never heard of"), "nobody is dead yet to a new Redis"


async def test_a_flush_is_noticed_once(redis_server: RedisServer) -> None:
    async with open_presence(fresh(redis_server), grace_seconds=10.0) as one:
        await one.presence.beat()
        assert one.flushed == []
        redis_server.flush()
        await one.presence.beat()
        await one.presence.beat()
        assert one.flushed == [one.presence.epoch], "a flush must be told once, with its epoch"
        assert await one.presence.is_alive("another"), "after a flush everybody's key is gone"


async def test_all_replicas_name_a_flush_alike(redis_server: RedisServer) -> None:
    settings = fresh(redis_server)
    async with open_presence(settings) as one, open_presence(settings) as other:
        redis_server.flush()
        await one.presence.beat()
        await other.presence.beat()
        assert one.flushed == other.flushed != [], "replicas share work by the epoch's name"


async def test_without_redis_everybody_may_live(redis_server: RedisServer) -> None:
    async with open_presence(fresh(redis_server)) as one:
        redis_server.stop()
        await one.presence.beat()
        assert await one.presence.is_alive("another"), (
            "what cannot be told must not double a launch"
        )
