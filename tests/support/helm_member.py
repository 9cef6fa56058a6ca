"""A member as an institution has it: the chart, installed in a namespace of its own."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from binder_federation.config.load import merged
from tests.support.eventually import eventually
from tests.support.kubectl import CallFailed, helm, kubectl, names, objects
from tests.support.kubernetes_builds import engine_groups, remove_images

CHART = Path(__file__).parents[2] / "charts" / "cluster-agent"
CREDENTIAL = "a-credential-for-tests-of-at-least-32-bytes"
START_SECONDS = 180
FIRST_NODE_PORT, NODE_PORTS = 30000, 2700


@dataclass(frozen=True)
class HelmMember:
    """One installed member."""

    name: str
    namespace: str
    api_url: str
    hub_url: str
    registry_repository: str

    @property
    def for_federation(self) -> dict[str, Any]:
        """Its entry in the federation's settings."""
        return {"name": self.name, "url": self.api_url, "credential": CREDENTIAL}

    def selector(self, component: str) -> str:
        """What finds its pods: `server`, `build` or `agent`."""
        return (
            f"app.kubernetes.io/name=binderfed,app.kubernetes.io/component={component},"
            f"binder-federation.org/member={self.name}"
        )

    async def pods(self, component: str) -> list[dict[str, Any]]:
        """Its pods of a component."""
        return await objects(self.namespace, "pods", self.selector(component))

    async def pod_names(self, component: str) -> list[str]:
        """Their names."""
        return await names(self.namespace, "pods", self.selector(component))

    async def delete_pod(self, name: str) -> None:
        """As an eviction or a node's death does it: at once."""
        await kubectl(
            "delete", "pod", name, "--namespace", self.namespace, "--grace-period=0", "--force",
            "--wait=false",
        )  # fmt: skip

    async def run(self, *command: str) -> str:
        """What a command in the agent's container prints."""
        (pod,) = await self.pod_names("agent")
        return await kubectl("exec", pod, "--namespace", self.namespace, "--", *command)

    async def drain(self) -> str:
        """As its institution does it."""
        return await self.run("binderfed-agent", "drain", *self._settings)

    async def undrain(self) -> str:
        """The end of that."""
        return await self.run("binderfed-agent", "undrain", *self._settings)

    @property
    def _settings(self) -> list[str]:
        return ["--config", "/etc/binder/agent.yaml"]

    async def agent_log(self) -> str:
        """The last lines of the agent."""
        try:
            return await kubectl(
                "logs", "--namespace", self.namespace, "--selector", self.selector("agent"),
                "--tail=80",
            )  # fmt: skip
        except CallFailed as error:
            return str(error)

    async def wait_until_it_answers(self, *, within_seconds: float = START_SECONDS) -> None:
        """Until the agent is well."""

        async def is_well() -> bool:
            try:
                async with httpx.AsyncClient(timeout=5) as client:
                    return (await client.get(f"{self.api_url}/health")).status_code == 200
            except httpx.TransportError:
                return False

        try:
            await eventually(is_well, what=f"{self.name} to be well", within_seconds=within_seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; its log:\n{await self.agent_log()}") from error


async def node_address() -> str:
    """The address of a node: its ports are reached there."""
    (node, *_) = await objects("default", "nodes")
    addresses = {each["type"]: each["address"] for each in node["status"]["addresses"]}
    return str(addresses["InternalIP"])


@asynccontextmanager
async def helm_member(
    name: str,
    *,
    image: str,
    federation_url: str,
    registry: str,
    registry_url: str,
    trusted: str,
    values_folder: Path,
    values: Mapping[str, Any] | None = None,
) -> AsyncIterator[HelmMember]:
    """Install the chart, and take everything away afterwards.

    `registry` is `host:port` as nodes know it, `registry_url` its API as pods reach it; below
    `trusted` are the repositories of the test. `values` go over the usual ones.
    """
    mark = secrets.token_hex(3)
    namespace = f"bf-{name}-{mark}"
    repository = f"{registry}/bf-{mark}/{name}"
    address = await node_address()
    first_port = FIRST_NODE_PORT + secrets.randbelow(NODE_PORTS // 2) * 2
    member = HelmMember(
        name=name,
        namespace=namespace,
        api_url=f"http://{address}:{first_port}",
        hub_url=f"http://{address}:{first_port + 1}",
        registry_repository=repository,
    )
    tag_of_image = image.rpartition(":")
    usual = {
        "image": {"repository": tag_of_image[0], "tag": tag_of_image[2]},
        "secrets": {"credential": CREDENTIAL},
        "services": {
            "api": {"type": "NodePort", "nodePort": first_port},
            "proxy": {"type": "NodePort", "nodePort": first_port + 1},
        },
        "config": {
            "name": name,
            "federation_url": federation_url,
            "registry": {"repository": repository, "url": registry_url, "allow_delete": True},
            "providers": {"trusted_prefixes": [trusted]},
            "build": {"slots": 2},
            "quota": {"sessions": 40},
            "resources": {"memory_guarantee": "64M", "memory_limit": "1G"},
            "kubernetes": {
                "hub": {"public_url": member.hub_url},
                "build": {"engine_groups": engine_groups()},
            },
        },
    }
    file = values_folder / f"{namespace}.yaml"
    file.write_text(yaml.safe_dump(merged(usual, values or {})), encoding="utf-8")
    await kubectl("create", "namespace", namespace)
    try:
        await helm("install", name, str(CHART), "--namespace", namespace, "--values", str(file))
        await member.wait_until_it_answers()
        yield member
    finally:
        await _remove(member)


async def _remove(member: HelmMember) -> None:
    """Uninstall, wait until the namespace is gone, and take its images from the engine: a node
    tells of fifty images only."""
    try:
        await helm("uninstall", member.name, "--namespace", member.namespace)
    finally:
        # Twenty servers that end in peace take longer than anybody wants to wait here.
        at_once = ("--all", "--grace-period=0", "--force", "--wait=false")
        await kubectl("delete", "pods", "--namespace", member.namespace, *at_once)
        await asyncio.shield(kubectl("delete", "namespace", member.namespace, "--timeout=280s"))
        await remove_images(member.registry_repository)
