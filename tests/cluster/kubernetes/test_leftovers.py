"""Housekeeping on a real cluster. The test's clock goes ahead: nobody waits for a pod to age."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.registry.credentials.base import NoCredentials
from binder_federation.cluster_agent.stacks.kubernetes.builder import KubernetesBuilder
from binder_federation.cluster_agent.stacks.kubernetes.client import KubernetesApi
from binder_federation.cluster_agent.stacks.kubernetes.errors import ClusterFull
from binder_federation.cluster_agent.stacks.kubernetes.housekeeping import Housekeeping
from binder_federation.cluster_agent.stacks.kubernetes.labels import (
    USER_ANNOTATION,
    Component,
    labels_of,
)
from binder_federation.cluster_agent.stacks.kubernetes.nodes import NodeReader
from binder_federation.config.agent import AgentSettings
from tests.support.eventually import eventually
from tests.support.kubectl import kubectl, objects
from tests.support.kubernetes_stack import namespace, stack_settings


@dataclass
class HouseSite:
    """A namespace with pods, and its housekeeping."""

    api: KubernetesApi
    settings: AgentSettings
    house: Housekeeping

    async def make_pod(self, name: str, image: str, **spec: object) -> None:
        """A server's pod, of the user `name`."""
        await self.api.create_pod(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": f"session-{name}",
                    "labels": labels_of(self.settings.name, Component.SERVER),
                    "annotations": {USER_ANNOTATION: name},
                },
                "spec": {
                    "automountServiceAccountToken": False,
                    "terminationGracePeriodSeconds": 0,
                    "containers": [
                        {"name": "notebook", "image": image, "command": ["sleep", "99"]}
                    ],
                    **spec,
                },
            }
        )

    async def staying(self) -> set[str]:
        """The pods that nobody deletes."""
        pods = await objects(self.api.namespace, "pods")
        return {
            pod["metadata"]["name"] for pod in pods if not pod["metadata"].get("deletionTimestamp")
        }


@pytest.fixture
async def site(kubeconfig: str, tmp_path: Path) -> AsyncIterator[HouseSite]:
    async with namespace() as name:
        settings = stack_settings(tmp_path, name, kubernetes={"most_stuck": 2})
        api = await KubernetesApi.open(namespace=name)
        ahead = 400.0

        def now() -> float:
            return time.time() + ahead

        builder = KubernetesBuilder(
            api=api,
            settings=settings,
            registry=None,
            credentials=NoCredentials(),
            clock=time.monotonic,
            now=now,
        )
        nodes = NodeReader(api=api, settings=settings.kubernetes, clock=time.monotonic)
        house = Housekeeping(
            api=api,
            builder=builder,
            nodes=nodes,
            settings=settings,
            clock=time.monotonic,
            now=now,
        )
        yield HouseSite(api, settings, house)
        await api.aclose()


async def test_pods_without_users_go_when_they_were_unknown_twice(
    site: HouseSite, base_image: str
) -> None:
    for name in ("ada", "bob"):
        await site.make_pod(name, base_image)
    both = {"session-ada", "session-bob"}
    await site.house.run(known_servers=frozenset({ServerName("ada")}))
    assert await site.staying() == both, "unknown once is not enough"
    await site.house.run(known_servers=None)
    assert await site.staying() == both, "the hub is silent"
    await site.house.run(known_servers=frozenset({ServerName("ada")}))
    assert await site.staying() == {"session-ada"}


async def test_stuck_pods_are_a_check(site: HouseSite, base_image: str) -> None:
    for name in ("ada", "bob"):
        await site.make_pod(name, base_image, nodeSelector={"no-node": "has-this"})
    known = frozenset({ServerName("ada"), ServerName("bob")})
    await site.house.run(known_servers=known)
    check = site.house.check()
    assert check.ok is False
    assert "2 pods" in check.message


async def test_a_server_that_finds_no_node_leaves_no_room(site: HouseSite, base_image: str) -> None:
    await site.house.run(known_servers=frozenset())
    before = site.house.room.sessions
    assert before is not None
    assert before > 0
    await site.make_pod("ada", base_image, nodeSelector={"no-node": "has-this"})

    async def is_noticed() -> bool:
        pods = await objects(site.api.namespace, "pods")
        return bool(pods[0]["status"].get("conditions"))

    await eventually(is_noticed, what="the scheduler to give up on the pod")
    fresh = Housekeeping(
        api=site.api,
        builder=site.house._builder,
        nodes=NodeReader(api=site.api, settings=site.settings.kubernetes, clock=time.monotonic),
        settings=site.settings,
        clock=time.monotonic,
        now=time.time,
    )
    await fresh.run(known_servers=frozenset({ServerName("ada")}))
    assert fresh.room.sessions == 0


async def test_the_quota_says_how_many_fit(site: HouseSite, base_image: str) -> None:
    quota = ["quota", "few", "-n", site.api.namespace]
    await kubectl("create", *quota, "--hard=pods=1")

    async def is_counted() -> bool:
        [found] = await objects(site.api.namespace, "resourcequotas")
        return "used" in found.get("status", {})

    await eventually(is_counted, what="the quota to be counted")
    await site.house.run(known_servers=frozenset())
    assert site.house.room.sessions == 1
    await site.make_pod("ada", base_image)
    with pytest.raises(ClusterFull):
        await site.make_pod("bob", base_image)
    site.house.note_full()
    assert site.house.room.sessions == 0
    assert site.house.room.reason
