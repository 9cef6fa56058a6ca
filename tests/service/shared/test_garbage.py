"""Anything may stand in Redis: what is none of ours is skipped and counted, and replicas go on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from binder_federation.binder.events import Phase
from binder_federation.config.federation import RedisSettings
from binder_federation.federation.shared.connection import make_client
from binder_federation.federation.shared.keys import Keys
from tests.support.eventually import eventually
from tests.support.fake_member import FakeMember
from tests.support.federation_server import SHA, FederationServer, running_federation
from tests.support.redis_fixtures import fresh
from tests.support.redis_servers import RedisServer

PATH = f"gh/owner/repository/{SHA}"
LAUNCH = "AbCdEfGh01234567"
IMAGE = "1" * 32
TEXTS = [
    b"",
    b"zz",
    b"\xff\xfe\x00",
    b"null",
    b"[]",
    b'{"at": 1e999}',
    b"[" * 50_000,
    b"9" * 400,
    b'{"states": 3, "replica": [], "at": {}}',
    b'{"id": 1, "state": [], "entry": null, "updated_at": "x"}',
    b"member 1e400 nan",
]
PAGES = ("/health", "/status", "/api/status", "/status.atom", "/metrics", "/api/members")


def names(keys: Keys) -> list[str]:
    """A key of each kind."""
    return [
        keys.image_bucket(1),
        keys.built_bucket(1),
        f"{keys.image_buckets[:-1]}zz",
        keys.lease(IMAGE),
        f"{keys.leases[:-1]}x",
        keys.ref("gh:owner/repository@HEAD"),
        keys.member("alpha"),
        keys.votes("a" * 16),
        keys.replica("a" * 16),
        keys.launch(LAUNCH),
        keys.launch_events(LAUNCH),
        keys.prebuild("x"),
        keys.checks("alpha"),
        keys.launches_of("127.0.0.1"),
        keys.history,
        keys.scribe,
        keys.tally(60, 1),
        keys.visitor_key,
        keys.steering,
        keys.steering_audit,
        keys.epoch,
        keys.facts,
        keys.news,
    ]


async def as_text(redis: "Redis", name: str, value: bytes) -> None:
    await redis.set(name, value)


async def as_hash(redis: "Redis", name: str, value: bytes) -> None:
    await redis.delete(name)
    for field in (b"", value[:64] or b"x", b"revision", b"document", b"\xff" * 16 + b"alpha"):
        await redis.hset(name, field, value)


async def as_stream(redis: "Redis", name: str, value: bytes) -> None:
    await redis.delete(name)
    await redis.xadd(name, {b"m": value, b"entry": value})
    await redis.xadd(name, {b"other": b"x"})


async def as_list(redis: "Redis", name: str, value: bytes) -> None:
    await redis.delete(name)
    await redis.rpush(name, value)


Write = Callable[["Redis", str, bytes], Awaitable[None]]
WAYS: dict[str, Write] = {"text": as_text, "hash": as_hash, "stream": as_stream, "list": as_list}


@pytest.fixture
def settings(redis_server: RedisServer) -> RedisSettings:
    return fresh(redis_server)


@pytest.fixture
async def redis(settings: RedisSettings) -> AsyncIterator["Redis"]:
    client = make_client(settings)
    yield client
    await client.aclose()


@pytest.fixture
async def alpha() -> AsyncIterator[FakeMember]:
    member = FakeMember("alpha")
    await member.start()
    yield member
    await member.stop()


async def fill(redis: "Redis", keys: Keys, write: Write, value: bytes) -> None:
    for name in names(keys):
        await write(redis, name, value)


async def goes_on(server: FederationServer) -> None:
    """Launches, pages and tasks are as before."""
    for number in range(3):
        seen = await server.launch(f"gh/owner/repository-{number}/{SHA}")
        assert seen.last.phase is Phase.READY, seen.last
    again = await server.client.get(
        f"/build/{PATH}", headers={"Last-Event-ID": f"{LAUNCH}.3.alpha.2"}
    )
    assert again.status_code == 200
    assert '"phase": "ready"' in again.text
    for page in PAGES:
        answer = await server.client.get(page)
        assert answer.status_code == 200, (page, answer.text[:1000])
    assert (await server.client.get("/api/admin/audit")).status_code in (200, 503)
    assert (await server.client.get("/api/builds/x")).status_code == 404
    await server.context.history.turn()
    await server.context.limits.shared_key.agree()
    assert server.context.tasks.crashed() == {}


def federation_on(settings: RedisSettings, *members: FakeMember) -> Any:
    return running_federation(list(members), redis=settings.model_dump(mode="python"))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_a_running_replica_goes_on(
    settings: RedisSettings, redis: "Redis", alpha: FakeMember, way: Write
) -> None:
    keys = Keys(settings.prefix)
    async with federation_on(settings, alpha) as server:
        for value in TEXTS:
            await fill(redis, keys, way, value)
            await asyncio.sleep(0)
        await goes_on(server)

        async def is_counted() -> bool:
            text = (await server.client.get("/metrics")).text
            lines = [x for x in text.splitlines() if x.startswith("binderfed_redis_unreadable_")]
            return any(float(line.rsplit(" ", 1)[1]) > 0 for line in lines if "_total{" in line)

        await eventually(is_counted, what="what was skipped to be counted")


@pytest.mark.parametrize("value", TEXTS, ids=lambda value: repr(value[:20]))
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_a_replica_that_starts_among_it_serves(
    settings: RedisSettings, redis: "Redis", alpha: FakeMember, way: Write, value: bytes
) -> None:
    await fill(redis, Keys(settings.prefix), way, value)
    async with federation_on(settings, alpha) as server:
        await goes_on(server)
