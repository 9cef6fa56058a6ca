"""Fixtures: one server of each kind per test process, empty for each test; replicas on it."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry

from binder_federation.config.federation import FederationSettings, RedisSettings
from binder_federation.federation.locality.redis import RedisLocalityStore
from binder_federation.federation.shared.context import Shared, open_shared
from binder_federation.federation.shared.redis_bus import RedisBus
from binder_federation.runtime.tasks import BackgroundTasks
from tests.support.redis_servers import RedisServer, running_server, server_binaries

NOW = 1_700_000_000.0
_prefixes = itertools.count()


class RedisServers:
    """Servers by kind, each started when it is first needed."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._servers: dict[str, RedisServer] = {}

    def get(self, kind: str) -> RedisServer:
        """The server, empty. Skips the test when there is none of the kind on this machine."""
        binary = server_binaries()[kind]
        if binary is None:
            pytest.skip(f"no {kind}-server on this machine")
        if kind not in self._servers:
            self._servers[kind] = self._stack.enter_context(running_server(binary))
        server = self._servers[kind]
        server.ensure_running()
        server.flush()
        return server


@pytest.fixture(scope="session")
def redis_servers() -> Iterator[RedisServers]:
    """All servers of this test process."""
    with ExitStack() as stack:
        yield RedisServers(stack)


@pytest.fixture
def redis_server(redis_servers: RedisServers) -> RedisServer:
    """An empty Valkey."""
    return redis_servers.get("valkey")


@asynccontextmanager
async def open_replica(
    redis: RedisSettings | None, *, clock: Callable[[], float] = lambda: NOW
) -> AsyncIterator[Shared]:
    """What one replica shares, on a Redis or alone. No task of it may crash."""
    tasks = BackgroundTasks()
    settings = FederationSettings(redis=redis)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(tasks.aclose)
        shared = await stack.enter_async_context(
            open_shared(settings, tasks=tasks, clock=clock, registry=CollectorRegistry())
        )
        yield shared
    assert tasks.crashed() == {}, "a background task of the replica crashed"


def fresh(server: RedisServer, **changes: object) -> RedisSettings:
    """Settings for `server` with key names that no other test has."""
    return server.settings(prefix=f"t{next(_prefixes)}-", **changes)


def store_of(shared: Shared) -> RedisLocalityStore:
    """The replica's store, which is one in Redis."""
    assert isinstance(shared.store, RedisLocalityStore)
    return shared.store


async def settle(*replicas: Shared) -> None:
    """Wait until all that the replicas know is in Redis, and told."""
    for shared in replicas:
        assert isinstance(shared.bus, RedisBus)
        assert await store_of(shared).settle(within_seconds=30), "facts do not reach Redis"
        assert await shared.bus.settle(within_seconds=30), "news do not reach Redis"
