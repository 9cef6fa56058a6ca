"""The federation's chart in a real cluster: what the API takes, whether it is well, and whether
launches notice an upgrade or its undoing.

The members are fakes on this machine, which pods reach through gates: what is tried here is
how replicas come and go.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from binder_federation.binder.events import Phase
from tests.live.traffic import Traffic, Visit, check_all_ready
from tests.support.eventually import eventually
from tests.support.fake_member import CREDENTIAL, FakeMember
from tests.support.helm import run_helm
from tests.support.helm_federation import RELEASE, HelmFederation, helm_federation
from tests.support.helm_values import render_federation
from tests.support.kubectl import call, kubectl
from tests.support.project_image import project_image
from tests.support.site import host_address, tcp_gate

STREAMS = 20
"""Open when the first replica is replaced, each of which must move."""
MOST_STREAMS = 50
"""Open when the last one has been: nobody's launch ends before that."""
REQUESTS = 100
"""At least so many, each on a connection of its own, while one replica after the other goes."""
PER_SECOND = 3.0
LONG_SECONDS = 600.0
"""Longer than an upgrade may take: the traffic is ended by hand."""

PUBLIC = {
    "config.trusted_proxies": ["10.0.0.0/8"],
    "ingress": {"enabled": True, "host": "binder.example.org", "tlsSecret": "certificate"},
    "service": {"type": "LoadBalancer", "loadBalancerSourceRanges": ["192.0.2.0/24"]},
}
EVERYTHING_ELSE = {
    "autoscaling": {"enabled": True, "memory": 80},
    "podDisruptionBudget.maxUnavailable": "25%",
    "image.pullSecrets": ["pull"],
    "priorityClassName": "system-cluster-critical",
    "podLabels": {"team": "binder"},
    "podAnnotations": {"team": "binder"},
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
    "extraVolumes": [{"name": "more", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
    "networkPolicies.ingressFrom": [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
    "networkPolicies.extraEgress": [{"to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}]}],
    "secrets": {"oldMemberCredentials": {"uni-a": "the-credential-before-this-one"}},
}


@pytest.fixture(scope="module")
def server_version(kubeconfig: str) -> str:
    """`1.20.2`, as the cluster says it."""
    told = call("kubectl", "get", "--raw", "/version")
    return told.partition('"gitVersion": "v')[2].partition('"')[0]


@pytest.mark.parametrize(
    "changes", [{}, PUBLIC, EVERYTHING_ELSE], ids=["plain", "public", "everything else"]
)
async def test_the_cluster_takes_every_object(changes: dict[str, Any], server_version: str) -> None:
    rendered = render_federation(changes, kube_version=server_version)

    told = await kubectl(
        "apply", "--dry-run=server", "--validate=true", "--namespace=default", "--filename=-",
        stdin=rendered.text,
    )  # fmt: skip

    assert told.count("dry run") == len(rendered.objects)


@pytest.fixture
async def members() -> AsyncIterator[dict[str, FakeMember]]:
    """Two members of this machine, by the addresses at which pods reach them."""
    async with AsyncExitStack() as stack:
        found = {}
        for name in ("uni-a", "uni-b"):
            member = FakeMember(name)
            await member.start()
            stack.push_async_callback(member.stop)
            gate = await stack.enter_async_context(
                tcp_gate(host_address(), ("127.0.0.1", member.port))
            )
            found[f"http://{gate.address}"] = member
        yield found


async def test_an_upgrade_its_undoing_and_a_drain_fail_no_launch(
    kubeconfig: str, docker_engine: str, members: dict[str, FakeMember], tmp_path: Path
) -> None:
    image = await asyncio.to_thread(project_image)
    addresses = {member.name: url for url, member in members.items()}
    async with helm_federation(
        image=image, members=addresses, credential=CREDENTIAL, folder=tmp_path
    ) as federation:
        await check_that_it_is_well(federation)
        traffic = Traffic(federation.url, per_second=PER_SECOND)
        try:
            async with MovedReplicas(federation, traffic, [*members.values()], "an upgrade"):
                await federation.upgrade({"config": {"launch": {"attempts": 3}}})
            async with MovedReplicas(federation, traffic, [*members.values()], "its undoing"):
                await federation.roll_back()
            async with MovedReplicas(federation, traffic, [*members.values()], "a drain"):
                refused, failed = await drained_under_requests(federation)
        finally:
            await traffic.aclose()
        twice = [visit.describe() for visit in traffic.visits if was_begun_again(visit)]
        servers = sum(member.servers.total() for member in members.values())
        # A visitor who is cut off before the first word of a launch begins another one.
        assert servers <= len(traffic.visits) * 1.05, f"launches were begun a second time: {twice}"
        assert await federation.restarts() == 0
        assert refused, "2019-04-03: the cluster would have taken both replicas at once"
        assert not failed, f"2019-04-03: requests failed during the drain: {failed}"


async def drained_under_requests(federation: HelmFederation) -> tuple[int, list[str]]:
    """How often the cluster refused to take a replica, and what failed of requests meanwhile."""
    draining = asyncio.get_running_loop().create_task(federation.drain())
    failed, asked = [], 0
    while not draining.done() or asked < REQUESTS:
        asked += 1
        try:
            async with httpx.AsyncClient(timeout=10) as client:
                answer = await client.get(federation.url)
        except httpx.TransportError as error:
            failed.append(repr(error))
        else:
            if answer.status_code != 200:
                failed.append(f"status {answer.status_code}")
        await asyncio.sleep(0.1)
    return await draining, failed


def was_begun_again(visit: Visit) -> bool:
    """Whether it has the numbers of two launches, or a second attempt."""
    launches = {event_id.partition(":")[0] for event_id in visit.ids}
    attempts = {event.fields.get("attempt", 1) for event in visit.events}
    return len(launches) > 1 or attempts > {1}


async def check_that_it_is_well(federation: HelmFederation) -> None:
    async with httpx.AsyncClient(timeout=20) as client:
        assert (await client.get(f"{federation.url}/health")).status_code == 200
    await asyncio.to_thread(
        run_helm, "test", RELEASE, f"--namespace={federation.namespace}", seconds=120
    )
    said = await kubectl(
        "exec", f"{RELEASE}-federation-redis-0", "--namespace", federation.namespace,
        "--", "redis-cli", "ping",
    )  # fmt: skip
    assert "NOAUTH" in said, "Redis answers those who know no password"


class MovedReplicas:
    """All streams are open while the block replaces the replicas; then all launches come to their
    end. Visitors go on to come in the meantime."""

    def __init__(
        self,
        federation: HelmFederation,
        traffic: Traffic,
        members: Sequence[FakeMember],
        what: str,
    ) -> None:
        self._federation = federation
        self._traffic = traffic
        self._members = members
        self._what = what
        self._first = len(traffic.visits)
        self._coming: asyncio.Task[list[Visit]] | None = None

    async def __aenter__(self) -> None:
        for member in self._members:
            member.hold(Phase.LAUNCHING)
        visitors = self._traffic.run(launch_paths(self._first), seconds=LONG_SECONDS)
        self._coming = asyncio.get_running_loop().create_task(visitors)
        await eventually(self._are_enough, what=f"{STREAMS} streams")

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        assert self._coming is not None
        self._coming.cancel()
        with suppress(asyncio.CancelledError):
            await self._coming
        for member in self._members:
            member.go_on()
        if kind is not None:
            return
        visits = await self._traffic.settle(self._first)
        try:
            self._check(visits)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{await self._federation.log()}") from error

    async def _are_enough(self) -> bool:
        visits = self._traffic.visits[self._first :]
        return sum(visit.has_built() for visit in visits) >= STREAMS

    def _check(self, visits: Sequence[Visit]) -> None:
        assert len(visits) >= MOST_STREAMS, "too few streams were open at the end to prove anything"
        check_all_ready(visits, what=self._what)
        assert all(visit.reconnects for visit in visits[:STREAMS]), "no replica was replaced"
        worst = max(visit.reconnects for visit in visits)
        assert worst <= 4, f"{self._what}: a visitor had to come back {worst} times"


def launch_paths(first: int) -> list[str]:
    """Repositories of which nobody has an image; a full commit id needs no provider."""
    return [
        f"gh/owner/r{number}/{number:040x}" for number in range(first * 1000, first * 1000 + 300)
    ]
