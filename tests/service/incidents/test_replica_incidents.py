"""Incidents of public Binders' own front doors: here, of the federation's replicas.

Each test is named by its incident's date and title.
"""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import httpx

from binder_federation.binder.events import Phase
from tests.live.traffic import Traffic, check_all_ready
from tests.support.balancer import balancer
from tests.support.eventually import eventually
from tests.support.fake_member import FakeMember
from tests.support.redis_servers import RedisServer
from tests.support.replicas import Replica

VISITORS = 100


async def test_2018_02_22_nginx_down(redis_server: RedisServer, tmp_path: Path) -> None:
    """kill -9 for one of two replicas under 100 streams: nobody notices, nothing is done twice."""
    members = [FakeMember(name) for name in ("alpha", "beta")]
    async with AsyncExitStack() as stack:
        for member in members:
            await member.start()
            stack.push_async_callback(member.stop)
            member.hold(Phase.LAUNCHING)
        settings = {
            "redis": {"url": redis_server.url, "prefix": "nginx-down"},
            "members": [member.settings for member in members],
            "health": {"probe_every_seconds": 0.5, "probe_timeout_seconds": 5.0},
        }
        replicas = [Replica(tmp_path, name, settings) for name in ("one", "two")]
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=10))
        for replica in replicas:
            stack.push_async_callback(replica.kill)
        await asyncio.gather(*(replica.start(client, members=len(members)) for replica in replicas))
        front = await stack.enter_async_context(balancer([replica.port for replica in replicas]))
        traffic = Traffic(front.url, per_second=1.0)
        stack.push_async_callback(traffic.aclose)
        paths = [f"gh/owner/r{number}/{number:040x}" for number in range(VISITORS)]
        visits = asyncio.get_running_loop().create_task(traffic.once_each(paths))

        async def are_all_launching() -> bool:
            return sum(len(member.paths) for member in members) == VISITORS

        await eventually(are_all_launching, what="a hundred launches to be under way")
        await replicas[0].kill()
        for member in members:
            member.go_on()
        seen = await visits

    check_all_ready(seen, what="one of two replicas was killed")
    assert any(visit.reconnects for visit in seen), "the kill must have met somebody"
    started = {path: sum(member.servers[path] for member in members) for path in paths}
    assert set(started.values()) == {1}, "each visitor has one server, started once"
