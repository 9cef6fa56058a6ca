"""What a replica shares with the others, made once: through Redis, or for itself alone."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog
from prometheus_client import CollectorRegistry
from redis.exceptions import RedisError

from binder_federation.binder.ref_cache import MemoryRefCache, RefCache
from binder_federation.config.federation import FederationSettings, RedisSettings
from binder_federation.federation.locality.contract import LocalityStore
from binder_federation.federation.locality.memory import MemoryLocalityStore
from binder_federation.federation.locality.redis import RedisLocalityStore
from binder_federation.federation.shared.bus import Bus, LocalBus
from binder_federation.federation.shared.connection import RedisConnection, open_connection
from binder_federation.federation.shared.last_reports import (
    LastReports,
    LocalLastReports,
    RedisLastReports,
)
from binder_federation.federation.shared.losses import Losses
from binder_federation.federation.shared.presence import LocalPresence, Presence, RedisPresence
from binder_federation.federation.shared.redis_bus import RedisBus
from binder_federation.federation.shared.refs import RedisRefCache
from binder_federation.federation.shared.state_outbox import StateOutbox
from binder_federation.federation.shared.votes import LocalVotes, RedisVotes, Votes
from binder_federation.runtime.tasks import BackgroundTasks

log = structlog.get_logger(__name__)

FAREWELL_SECONDS = 0.5
"""What was published just before the end is still sent, if Redis takes it in this time."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What all replicas know. `redis` is None when there is one replica alone."""

    replica_id: str
    bus: Bus
    store: LocalityStore
    refs: RefCache
    last_reports: LastReports
    votes: Votes
    presence: Presence
    redis: RedisConnection | None


@asynccontextmanager
async def open_shared(
    settings: FederationSettings,
    *,
    tasks: BackgroundTasks,
    clock: Callable[[], float] = time.time,
    registry: CollectorRegistry,
) -> AsyncIterator[Shared]:
    """Open what the settings ask for. A Redis that is down delays this by its background
    deadline (2 s) at most; the replica then serves without."""
    if settings.redis is None:
        yield _alone()
        return
    believed_seconds = settings.providers.ref_lifetime_seconds
    async with _open_redis(
        settings.redis, believed_seconds, tasks=tasks, clock=clock, registry=registry
    ) as shared:
        yield shared


def _alone() -> Shared:
    presence = LocalPresence()
    return Shared(
        replica_id=presence.replica_id,
        bus=LocalBus(),
        store=MemoryLocalityStore(),
        refs=MemoryRefCache(),
        last_reports=LocalLastReports(),
        votes=LocalVotes(),
        presence=presence,
        redis=None,
    )


@asynccontextmanager
async def _open_redis(
    settings: RedisSettings,
    believed_seconds: float,
    *,
    tasks: BackgroundTasks,
    clock: Callable[[], float],
    registry: CollectorRegistry,
) -> AsyncIterator[Shared]:
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(
            open_connection(settings, tasks=tasks, registry=registry)
        )
        own_tasks = BackgroundTasks()  # ended before the connections that they use
        bus = RedisBus(connection=connection)
        stack.push_async_callback(bus.aclose)
        losses = Losses()
        presence = RedisPresence(connection=connection, on_flushed=losses.flushed)
        stack.push_async_callback(presence.aclose)
        stack.push_async_callback(own_tasks.aclose)
        outbox = StateOutbox(connection=connection)
        store = RedisLocalityStore(connection=connection, bus=bus, tasks=own_tasks, clock=clock)
        losses.wire(bus=bus, presence=presence, store=store, tasks=own_tasks)
        votes = RedisVotes(connection=connection, bus=bus, outbox=outbox, clock=clock)
        await _begin(bus, presence, votes, within_seconds=settings.background_deadline_seconds)
        for part in (bus, presence, outbox):
            part.start(own_tasks)
        store.start()
        yield Shared(
            replica_id=connection.replica_id,
            bus=bus,
            store=store,
            refs=RedisRefCache(
                connection=connection,
                outbox=outbox,
                believed_seconds=believed_seconds,
                clock=clock,
            ),
            last_reports=RedisLastReports(connection=connection, bus=bus, outbox=outbox),
            votes=votes,
            presence=presence,
            redis=connection,
        )
        await _bid_farewell(bus, outbox)


async def _begin(
    bus: RedisBus, presence: RedisPresence, votes: RedisVotes, *, within_seconds: float
) -> None:
    """Find the place in the streams before anything is read, so that nothing falls between."""
    try:
        async with asyncio.timeout(within_seconds):
            await bus.tail.find_place()
            await presence.beat()
            await votes.load()
    except (RedisError, OSError) as error:
        log.warning("redis_not_there", reason=repr(error)[:200])


async def _bid_farewell(bus: RedisBus, outbox: StateOutbox) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FAREWELL_SECONDS):
            await bus.settle(within_seconds=FAREWELL_SECONDS)
            await outbox.settle(within_seconds=FAREWELL_SECONDS)
