"""The rows of the incident book that a member on Kubernetes settles with its cluster.

The cluster's API is on loopback, with a thousand pods in no time; what a real one does with
builds and servers is in tests/cluster.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from binder_federation.binder.errors import MemberBuildFailed
from binder_federation.binder.events import Phase
from binder_federation.binder.providers.base import GitSource
from binder_federation.binder.spec import LaunchSpec
from binder_federation.cluster_agent.registry.client import make_registry_client
from binder_federation.cluster_agent.registry.credentials.base import NoCredentials
from binder_federation.cluster_agent.registry.inventory import RegistryImages
from binder_federation.cluster_agent.registry.last_used import LastUsed
from binder_federation.cluster_agent.stacks.base import BuildPlan
from binder_federation.cluster_agent.stacks.kubernetes.builder import KubernetesBuilder
from binder_federation.cluster_agent.stacks.kubernetes.housekeeping import Housekeeping
from binder_federation.cluster_agent.stacks.kubernetes.labels import (
    USER_ANNOTATION,
    Component,
    labels_of,
)
from binder_federation.cluster_agent.stacks.kubernetes.leftovers import server_of
from binder_federation.cluster_agent.stacks.kubernetes.nodes import NodeReader
from binder_federation.cluster_agent.stacks.repo2docker.output import write_line
from binder_federation.config.agent import AgentSettings
from tests.support.eventually import eventually
from tests.support.fake_cluster import NAMESPACE, FakeCluster, status
from tests.support.fake_registry import FakeRegistry
from tests.support.kubernetes_builds import Progress

NOW = datetime(2026, 1, 1, 1, tzinfo=UTC).timestamp()
AN_HOUR_AGO = "2026-01-01T00:00:00Z"
QUOTA = 'pods "build-x" is forbidden: exceeded quota: pods, used: pods=0, limited: pods=0'


def make_settings(**changes: Any) -> AgentSettings:
    """A member in the cluster's namespace."""
    values = {
        "name": "alpha",
        "credential": "a-credential-for-tests-of-at-least-32-bytes",
        "stack": "kubernetes",
        "resources": {"memory_guarantee": "1G", "cpu_guarantee": 0.1},
        "kubernetes": {"namespace": NAMESPACE},
        **changes,
    }
    return AgentSettings.model_validate(values)


@dataclass
class Member:
    """What an agent does with its cluster, without the agent."""

    cluster: FakeCluster
    builder: KubernetesBuilder
    house: Housekeeping
    now: list[float]

    async def add_servers(self, number: int, **changes: Any) -> None:
        """Pods of visitors, as the spawner makes them."""
        metadata = {
            "labels": labels_of("alpha", Component.SERVER),
            "creationTimestamp": AN_HOUR_AGO,
            **changes.pop("metadata", {}),
        }
        for _ in range(number):
            user = f"user-{len(self.cluster.pods)}"
            annotations = {USER_ANNOTATION: user}
            container = {"resources": {"requests": {"memory": "1Gi", "cpu": "100m"}}}
            pod = {
                "metadata": {**metadata, "annotations": annotations},
                "spec": {"nodeName": "n1", "containers": [container]},
            }
            await self.cluster.set_pod(f"session-{user}", pod, **{"phase": "Running", **changes})

    async def look(self, *, known: bool = True) -> None:
        """One pass; the hub knows every pod's user, or none."""
        pods = self.cluster.pods.values()
        servers = map(server_of, pods) if known else []
        await self.house.run(known_servers=frozenset(servers))
        self.now[0] += 10.0

    def can_build(self) -> bool:
        """Whether the namespace's quota takes builds, as far as its last refusal tells."""
        return self.builder.room.can_build


@pytest.fixture
async def member() -> AsyncIterator[Member]:
    async with FakeCluster() as cluster:
        allocatable = {"cpu": "64", "memory": "100Gi", "pods": "300"}
        ready = [{"type": "Ready", "status": "True"}]
        cluster.nodes = [
            {
                "metadata": {"name": "n1"},
                "status": {"allocatable": allocatable, "conditions": ready},
            }
        ]
        yield make_member(cluster, make_settings(), registry=None)


def make_member(
    cluster: FakeCluster, settings: AgentSettings, *, registry: RegistryImages | None
) -> Member:
    now = [NOW]
    builder = KubernetesBuilder(
        api=cluster.api,
        settings=settings,
        registry=registry,
        credentials=NoCredentials(),
        clock=time.monotonic,
        now=lambda: now[0],
    )
    house = Housekeeping(
        api=cluster.api,
        builder=builder,
        nodes=NodeReader(api=cluster.api, settings=settings.kubernetes, clock=lambda: now[0]),
        settings=settings,
        clock=lambda: now[0],
        now=lambda: now[0],
    )
    return Member(cluster, builder, house, now)


def make_plan(name: str = "one") -> BuildPlan:
    spec = LaunchSpec("gh", f"owner/{name}", "a" * 40)
    return BuildPlan(
        spec.image_key("a" * 40), spec, "a" * 40, GitSource(f"https://git.invalid/{name}")
    )


def ended(line: str, *, exit_code: int) -> dict[str, Any]:
    """The status of a build's pod that has ended; `line` is its last one."""
    end = {"exitCode": exit_code, "reason": "Completed", "message": line}
    return {
        "phase": "Failed" if exit_code else "Succeeded",
        "containerStatuses": [{"name": "build", "state": {"terminated": end}}],
    }


async def is_told(cluster: FakeCluster) -> bool:
    """Whether the build's pod is there and has its order."""
    return bool(cluster.secrets)


async def test_2018_03_31_stuck_pods(member: Member) -> None:
    """Ten pods that neither start nor end: the member says of itself that it is not well."""
    await member.add_servers(40)
    await member.look()
    assert member.house.check().ok, "well before"
    await member.add_servers(5, phase="Pending")
    await member.add_servers(5, metadata={"deletionTimestamp": AN_HOUR_AGO})
    await member.look()
    check = member.house.check()
    assert not check.ok, "a read-only node is not noticed"
    assert "10 pods neither start nor end" in check.message


async def test_2018_07_08_pods_without_users(member: Member) -> None:
    """200 pods that no user of the hub owns: gone two passes after they were seen."""
    await member.add_servers(200)
    await member.look(known=False)
    assert not member.cluster.deleted, "once unknown is not enough: the lists are not of a moment"
    await member.look(known=False)
    await member.look(known=False)
    assert len(member.cluster.deleted) == 200
    assert not member.cluster.pods


async def test_2017_10_17_cluster_full(member: Member) -> None:
    """What waits for a node counts, and leaves no room."""
    await member.add_servers(50)
    await member.look()
    assert member.house.room.sessions
    waits = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    await member.add_servers(1, phase="Pending", conditions=[waits])
    await member.look()
    assert member.house.room.sessions == 0


async def test_deploy_2670_ended_pods_are_not_counted(member: Member) -> None:
    """100 servers that have ended and none that runs: all of the capacity is free."""
    await member.look()
    free = member.house.room.sessions
    await member.add_servers(60, phase="Succeeded")
    await member.add_servers(40, phase="Failed")
    await member.look()
    assert free
    assert member.house.room.sessions == free, "servers that ended take room"
    assert member.house.servers == 0
    await member.add_servers(1)
    await member.look()
    assert member.house.room.sessions == free - 1, "and one that runs takes none"


async def test_2018_03_26_no_space(member: Member) -> None:
    """All nodes' disks are nearly full: no builds, while servers may still start."""
    conditions = member.cluster.nodes[0]["status"]["conditions"]
    await member.look()
    assert member.house.room.can_build, "well before"
    conditions.append({"type": "DiskPressure", "status": "True"})
    await member.look()
    room = member.house.room
    assert not room.can_build
    assert "disks" in room.reason


async def test_2022_06_02_pod_limit(member: Member) -> None:
    """The quota refuses a pod that every sum had room for: no builds for a while."""
    member.cluster.quotas = [{"status": {"hard": {"pods": "200"}, "used": {"pods": "0"}}}]
    await member.look()
    assert member.house.room.sessions
    assert member.can_build()
    member.cluster.answer_next(partial(status, 403, "Forbidden", QUOTA))
    with pytest.raises(MemberBuildFailed, match="no place for a build") as caught:
        await member.builder.build(make_plan(), Progress())
    assert caught.value.retry_after_seconds
    assert not member.can_build()
    member.house.note_full()  # the same for a server
    assert member.house.room.sessions == 0


async def test_2019_02_20_no_logs(member: Member) -> None:
    """The endpoint of logs answers 500 throughout: the build is well, and its image counts."""
    member.cluster.has_logs = False
    progress = Progress()
    async with asyncio.TaskGroup() as group:
        build = group.create_task(member.builder.build(make_plan(), progress))
        await eventually(partial(is_told, member.cluster), what="the build's pod")
        (name,) = member.cluster.pods
        running = [{"name": "build", "state": {"running": {}}}]
        await member.cluster.set_pod(name, phase="Running", containerStatuses=running)
        await eventually(partial(is_missed, progress), what="the loss of the log to be told")
        line = write_line(Phase.BUILT, "Built the image", size_bytes=7_000_000)
        await member.cluster.set_pod(name, **ended(line, exit_code=0))
    assert build.result().size_bytes == 7_000_000
    assert member.cluster.deleted == [name]


async def is_missed(progress: Progress) -> bool:
    """Whether people were told why they see nothing."""
    return "cannot be read just now; the build goes on" in progress.text


async def test_2017_11_30_oom_proxy_builds_have_limits_and_nodes_of_their_own() -> None:
    """A build needed all the memory of the node that the proxy was on."""
    pods = {"node_selector": {"pool": "build"}, "memory_limit": "2Gi"}
    async with FakeCluster() as cluster:
        settings = make_settings(kubernetes={"namespace": NAMESPACE, "build": pods})
        member = make_member(cluster, settings, registry=None)
        async with asyncio.TaskGroup() as group:
            build = group.create_task(member.builder.build(make_plan(), Progress()))
            await eventually(partial(is_told, cluster), what="the build's pod")
            build.cancel()
            ((name, pod),) = cluster.pods.items()
    (container,) = pod["spec"]["containers"]
    assert container["resources"]["limits"]["memory"] == "2Gi"
    assert pod["spec"]["nodeSelector"] == {"pool": "build"}
    assert cluster.deleted == [name], "a build that was cancelled goes on"


async def test_deploy_3387_an_image_that_was_not_pushed_is_not_built(tmp_path: Path) -> None:
    """The registry hangs after the last blob: the build ends at its deadline, and is none."""
    stalled = "The push to the member's registry made no progress for 120 seconds."
    async with (
        FakeCluster() as cluster,
        FakeRegistry() as registry,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        settings = make_settings(registry={"repository": registry.repository})
        images = RegistryImages(
            client=make_registry_client(
                settings.registry, client=http, credentials=NoCredentials(), clock=time.time
            ),
            settings=settings.registry,
            last_used=LastUsed(path=tmp_path / "last-used.json", clock=time.time),
        )
        member = make_member(cluster, settings, registry=images)
        cluster.has_logs = False
        async with asyncio.TaskGroup() as group:
            build = group.create_task(failure_of(member.builder, make_plan()))
            await eventually(partial(is_told, cluster), what="the build's pod")
            (name,) = cluster.pods
            line = write_line(Phase.FAILED, stalled, fault="member", advice="")
            await cluster.set_pod(name, **ended(line, exit_code=1))
    assert build.result() == stalled
    assert registry.calls["manifest"], "nobody asked the registry what it has"


async def failure_of(builder: KubernetesBuilder, plan: BuildPlan) -> str:
    """What the build fails with."""
    with pytest.raises(MemberBuildFailed) as caught:
        await builder.build(plan, Progress())
    return caught.value.message
