"""Two replicas, three members, a real Redis, and visitors all along: whatever happens to
Redis, or to a replica, no launch fails, none is done twice, and images stay where they are.

The members are real agents on a stack whose builds and servers take a moment; the
replicas are processes behind a load balancer. BINDERFED_LIVE_SECONDS is how long Redis
is away (60); the whole story takes about five times that.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import httpx
import pytest

from binder_federation.cluster_agent.stacks.base import BuildPlan, BuildProgress, Image
from tests.live.traffic import Traffic, Visit, check_all_ready, summary
from tests.support.agent_server import CREDENTIAL, AgentServer, running_agent
from tests.support.balancer import Balancer, balancer
from tests.support.eventually import eventually
from tests.support.fake_stack import FakeBuilder, FakeStack
from tests.support.ports import free_port
from tests.support.redis_servers import (
    DelayProxy,
    RedisServer,
    delay_proxy,
    running_server,
    server_binaries,
)
from tests.support.replicas import Replica

OUTAGE_SECONDS = float(os.environ.get("BINDERFED_LIVE_SECONDS", "60"))
CALM_SECONDS = OUTAGE_SECONDS / 4
PER_SECOND = 4.0
BUILD_SECONDS = 1.0
SPAWN_SECONDS = 0.4
NAMES = ("alpha", "beta", "gamma")

pytestmark = pytest.mark.live


def paths(first: int, count: int) -> list[str]:
    """Launch paths of repositories of their own; a full commit id needs no provider."""
    return [f"gh/owner/r{number}/{number:040x}" for number in range(first, first + count)]


class TimedBuilder(FakeBuilder):
    """Each build takes a second."""

    async def build(self, plan: BuildPlan, progress: BuildProgress) -> Image:
        await asyncio.sleep(BUILD_SECONDS)
        return await super().build(plan, progress)


class TimedStack(FakeStack):
    """Builds and servers take a moment; there is room for everybody."""

    def __init__(self) -> None:
        super().__init__()
        self.builder = TimedBuilder(self.images)
        self.hub.starts_by_themselves = False
        self.default_capacity = 100_000

    async def start_servers(self) -> None:
        """Let what is starting be started, again and again."""
        while True:
            await asyncio.sleep(SPAWN_SECONDS)
            self.hub.finish()


class Federation:
    """All of it, and what it did so far."""

    def __init__(
        self,
        redis: RedisServer,
        proxy: DelayProxy,
        agents: list[AgentServer],
        replicas: list[Replica],
        front: Balancer,
        client: httpx.AsyncClient,
    ) -> None:
        self.redis = redis
        self.proxy = proxy
        self.agents = agents
        self.replicas = replicas
        self.client = client
        self.traffic = Traffic(front.url, per_second=PER_SECOND)
        self.report: list[str] = []

    @property
    def builds(self) -> int:
        """Builds that were begun, at all members."""
        return sum(len(agent.stack.builder.plans) for agent in self.agents)

    @property
    def servers(self) -> int:
        """Servers that were started, at all members."""
        return sum(agent.stack.hub.calls["start_server"] for agent in self.agents)

    async def play(
        self, name: str, known: list[str], *, seconds: float, new: Sequence[str] = ()
    ) -> list[Visit]:
        """Visitors for so long, each image that is `new` among theirs; none of them may fail."""
        first = len(self.traffic.visits)
        known += new
        await self.traffic.run(known, seconds=seconds)
        await self.traffic.once_each(new)
        visits = self.traffic.visits[first:]
        self.report.append(summary(name, visits))
        check_all_ready(visits, what=name)
        return visits

    def describe(self, *, images: int, ready: int) -> str:
        """What happened, for people."""
        totals = (
            f"{self.builds} builds of {images} images, {self.servers} servers for {ready} launches"
        )
        return "\n".join(["", *self.report, totals])


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[Federation]:
    binaries = server_binaries()
    binary = binaries["redis"] or binaries["valkey"]
    assert binary is not None
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(running_server(binary))
        proxy = await stack.enter_async_context(delay_proxy(redis))
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=10))
        front_port = free_port()
        agents = [
            await stack.enter_async_context(_agent(name, front_port, stack)) for name in NAMES
        ]
        settings = {
            "redis": {"url": proxy.url},
            # Copies of hot images are builds as well, and not those that are counted here.
            "copies": {"enabled": False},
            "health": {"probe_every_seconds": 2.0},
            "launch": {"hold_seconds": 1.0},
            "members": [
                {"name": agent.context.settings.name, "url": agent.url, "credential": CREDENTIAL}
                for agent in agents
            ],
        }
        replicas = [Replica(tmp_path, name, settings) for name in ("one", "two")]
        for replica in replicas:
            stack.push_async_callback(replica.kill)
            await replica.start(client, members=len(NAMES))
        ports = [replica.port for replica in replicas]
        front = await stack.enter_async_context(balancer(ports, port=front_port))
        running = Federation(redis, proxy, agents, replicas, front, client)
        stack.push_async_callback(running.traffic.aclose)
        yield running


def _agent(
    name: str, front_port: int, stack: AsyncExitStack
) -> AbstractAsyncContextManager[AgentServer]:
    fake = TimedStack()
    starting = asyncio.get_running_loop().create_task(fake.start_servers())
    stack.callback(starting.cancel)
    return running_agent(
        fake,
        name=name,
        federation_url=f"http://127.0.0.1:{front_port}",
        report_every_seconds=2.0,
        quota={"sessions_per_repository": 100_000},
        build={"slots": 20},
        launch={"concurrent": 50},
        warm={"enabled": False},  # so that servers can be counted
    )


async def test_no_launch_fails_and_none_is_done_twice(federation: Federation) -> None:
    known = paths(0, 40)
    await federation.traffic.once_each(known)
    await federation.play("calm", known, seconds=CALM_SECONDS)

    federation.redis.stop()
    await federation.play("Redis away", known, seconds=OUTAGE_SECONDS, new=paths(100, 10))
    federation.redis.start()
    await federation.play("Redis back, empty", known, seconds=CALM_SECONDS)

    builds = federation.builds
    federation.redis.flush()
    visits = await federation.play("Redis flushed", known, seconds=CALM_SECONDS)
    assert federation.builds == builds, "after the flush every image was still found"
    assert not any(visit.has_built() for visit in visits)
    await _check_that_redis_knows_again(federation, known)

    federation.proxy.delay_seconds = 2.0
    await federation.play("answers 2 s late", known, seconds=OUTAGE_SECONDS / 2, new=paths(200, 10))
    federation.proxy.delay_seconds = 0.0
    await federation.play("answers in time", known, seconds=CALM_SECONDS)

    killing = asyncio.get_running_loop().create_task(_kill_in_the_middle(federation))
    visits = await federation.play(
        "a replica killed", known, seconds=CALM_SECONDS, new=paths(300, 10)
    )
    await killing
    assert any(visit.reconnects for visit in visits), "the kill must have met somebody"
    await federation.replicas[0].start(federation.client, members=len(NAMES))
    await federation.play("and back", known, seconds=CALM_SECONDS)

    ready = sum(visit.is_ready for visit in federation.traffic.visits)
    report = federation.describe(images=len(known), ready=ready)
    print(report)  # noqa: T201 - the figures are what this test is run for
    servers = [visit.server for visit in federation.traffic.visits]
    assert len(set(servers)) == len(servers), "everybody has a server of their own"
    assert federation.servers == ready, f"each launch starts one server:\n{report}"
    assert federation.builds == len(known), f"each image is built once:\n{report}"


async def _kill_in_the_middle(federation: Federation) -> None:
    await asyncio.sleep(CALM_SECONDS / 2)
    await federation.replicas[0].kill()


async def _check_that_redis_knows_again(federation: Federation, known: list[str]) -> None:
    """A replica that starts now finds every image in Redis."""
    fresh = federation.replicas[1]
    assert await fresh.stop() == 0
    await fresh.start(federation.client, members=len(NAMES))

    async def knows_all() -> bool:
        members = (await federation.client.get(f"{fresh.url}/api/members")).json()["members"]
        images: int = sum(member["images"] for member in members)
        return images >= len(known)

    await eventually(knows_all, what="a new replica to know every image", within_seconds=30)
