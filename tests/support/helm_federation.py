"""A federation as its operator has it: the chart with its Redis, in a namespace of its own."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from binder_federation.config.load import merged
from tests.support.chart_schema import FEDERATION
from tests.support.eventually import eventually
from tests.support.helm_member import node_address
from tests.support.kubectl import CallFailed, evict, helm, kubectl, objects
from tests.support.redis_image import redis_image

START_SECONDS = 180
STOP_SECONDS = 120
RELEASE = "binder"
QUICK_HEALTH = {"probe_every_seconds": 2.0, "probe_timeout_seconds": 5.0}


@dataclass
class HelmFederation:
    """One installed federation."""

    namespace: str
    values_file: Path
    values: Mapping[str, Any]
    url: str = ""
    members: Sequence[str] = field(default=())

    async def install(self) -> None:
        """Install it, and find its address."""
        await self._apply("install", {})
        (service,) = await objects(self.namespace, "services", _selector("federation"))
        port = service["spec"]["ports"][0]["nodePort"]
        self.url = f"http://{await node_address()}:{port}"

    async def upgrade(self, changes: Mapping[str, Any]) -> None:
        """Other values; returns when the last replica with the old ones is gone."""
        old = await self.replicas()
        await self._apply("upgrade", changes)
        await self._gone(old)

    async def roll_back(self) -> None:
        """Back to what it was before the last change."""
        old = await self.replicas()
        await helm("rollback", RELEASE, "--namespace", self.namespace)
        await self._gone(old)

    async def drain(self) -> int:
        """Have every replica evicted, as when one node after the other is emptied; how often the
        cluster refused it, as too few would have been left."""
        old = await self.replicas()
        refused = 0
        for pod in old:

            async def is_evicted(pod: str = pod) -> bool:
                nonlocal refused
                is_allowed = await evict(self.namespace, pod)
                refused += not is_allowed
                return is_allowed

            await eventually(is_evicted, what=f"{pod} to be evicted", within_seconds=START_SECONDS)
        await self._gone(old)
        return refused

    async def replicas(self) -> list[str]:
        """Its pods whose container runs: a node takes its time to put away one that ended."""
        pods = await objects(self.namespace, "pods", _selector("federation"))
        return [
            pod["metadata"]["name"]
            for pod in pods
            if any(
                "running" in each["state"] for each in pod["status"].get("containerStatuses", ())
            )
        ]

    async def restarts(self) -> int:
        """How often containers of its pods ended by themselves."""
        pods = await objects(self.namespace, "pods", "app.kubernetes.io/name=binderfed")
        return sum(
            each["restartCount"]
            for pod in pods
            for each in pod["status"].get("containerStatuses", ())
        )

    async def wait_until_up(self) -> None:
        """Until it answers and takes every member for up."""

        async def are_up() -> bool:
            try:
                async with httpx.AsyncClient(timeout=5) as client:
                    answer = await client.get(f"{self.url}/api/members")
            except httpx.TransportError:
                return False
            states = [member["state"] for member in answer.json()["members"]]
            return states == ["up"] * len(self.members)

        try:
            await eventually(are_up, what="its members to be up", within_seconds=START_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}; its log:\n{await self.log()}") from error

    async def log(self) -> str:
        """The last lines of its replicas, and how its pods are."""
        try:
            pods = await kubectl("get", "pods", "--namespace", self.namespace, "--output=wide")
            return pods + await kubectl(
                "logs", "--namespace", self.namespace, "--selector", _selector("federation"),
                "--tail=60",
            )  # fmt: skip
        except CallFailed as error:
            return str(error)

    async def _apply(self, how: str, changes: Mapping[str, Any]) -> None:
        self.values_file.write_text(yaml.safe_dump(merged(self.values, changes)))
        await helm(
            how, RELEASE, str(FEDERATION.folder), "--namespace", self.namespace,
            "--values", str(self.values_file),
        )  # fmt: skip

    async def _gone(self, old: Sequence[str]) -> None:
        async def are_gone() -> bool:
            return not set(old) & set(await self.replicas())

        what = "the old replicas to be gone"
        try:
            await eventually(are_gone, what=what, within_seconds=STOP_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}; its log:\n{await self.log()}") from error


def _selector(component: str) -> str:
    return f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component={component}"


@asynccontextmanager
async def helm_federation(
    *, image: str, members: Mapping[str, str], credential: str, folder: Path
) -> AsyncIterator[HelmFederation]:
    """Install the chart with two replicas; everything is taken away afterwards.

    `members` are their addresses, as pods reach them; all share `credential`.
    """
    namespace = f"bf-federation-{secrets.token_hex(3)}"
    repository, _, tag = image.rpartition(":")
    bundled: dict[str, Any] = {"enabled": True, "resources": {"requests": {"cpu": "10m"}}}
    if own_image := await asyncio.to_thread(redis_image):
        bundled["image"] = own_image
    values = {
        "image": {"repository": repository, "tag": tag},
        "config": {
            "members": [{"name": name, "url": url} for name, url in members.items()],
            "health": QUICK_HEALTH,
            "policy": {"rate_limit": {"launches": 0}},
        },
        "secrets": {
            "memberCredentials": dict.fromkeys(members, credential),
            "redisPassword": secrets.token_hex(16),
        },
        "redis": {"bundled": bundled},
        "service": {"type": "NodePort"},
        "resources": {"requests": {"cpu": "50m"}},
        "preStopSeconds": 3,
    }
    federation = HelmFederation(namespace, folder / f"{namespace}.yaml", values, members=[*members])
    await kubectl("create", "namespace", namespace)
    try:
        await federation.install()
        await federation.wait_until_up()
        yield federation
    finally:
        await _remove(namespace)


async def _remove(namespace: str) -> None:
    """At once: nobody waits here until replicas have stopped in order."""
    made_by = "deployments,replicasets,statefulsets"
    at_once = ("--grace-period=0", "--force", "--wait=false")
    await kubectl("delete", made_by, "--all", "--namespace", namespace, "--cascade=orphan")
    await kubectl("delete", "pods", "--all", "--namespace", namespace, *at_once)
    await asyncio.shield(kubectl("delete", "namespace", namespace, "--timeout=120s"))
