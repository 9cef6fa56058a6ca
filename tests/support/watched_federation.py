"""A federation under load that a real Prometheus watches: two replicas on one Redis, and members.

`alpha` and `beta` are real agents on fake stacks; `gamma` is a server that speaks TLS with a
certificate that ends in ten days, and that never reports.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.live.traffic import Traffic, Visit
from tests.support.agent_server import CREDENTIAL, AgentServer, running_agent
from tests.support.balancer import balancer
from tests.support.fake_github import FakeGitHub
from tests.support.fake_member import FakeMember
from tests.support.fake_stack import FakeStack
from tests.support.ports import free_port
from tests.support.prometheus import Prometheus, running_prometheus
from tests.support.redis_servers import RedisServer, running_server, server_binaries
from tests.support.replicas import Replica
from tests.support.tls_front import tls_front, write_certificate

CERTIFICATE_DAYS = 10
EVENT = "course"
PER_SECOND = 4.0
BRANCH = "gh/owner/branched/main"
PATHS = (
    f"gh/{EVENT}/lesson/{7:040x}",
    BRANCH,
    *(f"gh/owner/r{number}/{number:040x}" for number in range(300)),
)
"""The first ones are visited most; the many at the end are new each time."""


@dataclass
class WatchedFederation:
    """All parts of it, each of which a test may break."""

    agents: dict[str, AgentServer]
    gamma: FakeMember
    replicas: list[Replica]
    redis: RedisServer
    policy_file: Path
    github: FakeGitHub
    traffic: Traffic
    _going: list[asyncio.Task[list[Visit]]] = field(default_factory=list)
    prometheus: Prometheus = field(init=False)

    def begin_traffic(self) -> None:
        """Visitors come from now on."""
        going = self.traffic.run(PATHS, seconds=3600)
        self._going.append(asyncio.get_running_loop().create_task(going))

    async def end_traffic(self) -> None:
        for task in self._going:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self._going.clear()


@asynccontextmanager
async def watched_federation(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    rules: dict[str, str] | None = None,
    capacity: int = 10_000,
    event_quota: int = 10_000,
) -> AsyncIterator[WatchedFederation]:
    """The federation with Prometheus, which has scraped it once; nobody visits it yet."""
    async with AsyncExitStack() as stack:
        binaries = server_binaries()
        redis = stack.enter_context(running_server(str(binaries["valkey"])))
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=10))
        github = await stack.enter_async_context(FakeGitHub(folder / "github", quota=1000))
        github.create("owner/branched", {"README.md": "hello"})
        front_port = free_port()
        agents = {
            name: await stack.enter_async_context(_agent(name, front_port, capacity))
            for name in ("alpha", "beta")
        }
        certificate, key = write_certificate(folder, days=CERTIFICATE_DAYS)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        gamma = FakeMember("gamma")
        await gamma.start()
        stack.push_async_callback(gamma.stop)
        gamma_url = await stack.enter_async_context(tls_front(gamma.port, certificate, key))
        policy_file = folder / "policy.yaml"
        policy_file.write_text(yaml.safe_dump(_policy(event_quota)))
        settings = {
            "redis": {"url": redis.url},
            "policy_file": str(policy_file),
            "providers": {"github": github.settings().model_dump(exclude_none=True, mode="json")},
            "health": {
                "probe_every_seconds": 0.5,
                "probe_timeout_seconds": 5.0,
                "recover_after_seconds": 1.0,
            },
            "members": [
                *(_member(name, agent.url) for name, agent in agents.items()),
                _member("gamma", gamma_url),
            ],
        }
        replicas = [Replica(folder, name, settings) for name in ("one", "two")]
        for replica in replicas:
            stack.push_async_callback(replica.kill)
        await asyncio.gather(*(replica.start(client, members=3) for replica in replicas))
        ports = [replica.port for replica in replicas]
        front = await stack.enter_async_context(balancer(ports, port=front_port))
        traffic = Traffic(front.url, per_second=PER_SECOND)
        stack.push_async_callback(traffic.aclose)
        watched = WatchedFederation(agents, gamma, replicas, redis, policy_file, github, traffic)
        stack.push_async_callback(watched.end_traffic)
        watched.prometheus = await stack.enter_async_context(
            running_prometheus(
                folder / "prometheus",
                {"federation": [f"127.0.0.1:{port}" for port in ports]},
                rules=rules,
            )
        )
        yield watched


def _agent(name: str, front_port: int, capacity: int) -> Any:
    stack = FakeStack()
    stack.default_capacity = capacity
    return running_agent(
        stack,
        name=name,
        federation_url=f"http://127.0.0.1:{front_port}",
        report_every_seconds=1.0,
        quota={"sessions_per_repository": 10_000},
    )


def _member(name: str, url: str) -> dict[str, str]:
    return {"name": name, "url": url, "credential": CREDENTIAL}


def _policy(event_quota: int) -> dict[str, Any]:
    pattern = {"pattern": f"gh/{EVENT}/.*", "sessions": event_quota, "scope": "sum"}
    return {
        "rate_limit": {"launches": 0},
        "quotas": {"sessions": 100_000, "patterns": [pattern]},
    }
