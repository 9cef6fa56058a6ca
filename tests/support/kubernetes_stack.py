"""Kubernetes stacks for tests: each with a namespace of its own, which is removed at its end.

The hub runs on this machine and KubeSpawner uses KUBECONFIG, so this machine must reach the
pods' addresses (it is a node of the cluster, or has a route to its pods).
"""

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from binder_federation.cluster_agent.stacks.kubernetes.stack import KubernetesStack
from binder_federation.config.agent import AgentSettings
from tests.support.eventually import eventually
from tests.support.kubectl import kubectl, names, objects
from tests.support.launch_checks import run_code_at
from tests.support.local_stack import HubClient, Session, make_settings

SERVERS = "app.kubernetes.io/component=server"


@asynccontextmanager
async def namespace(prefix: str = "bf-klaunch") -> AsyncIterator[str]:
    """A new namespace, whose pods are ended at once when the test is done."""
    name = f"{prefix}-{secrets.token_hex(4)}"
    await kubectl("create", "namespace", name)
    try:
        await eventually(
            lambda: _has_account(name), what=f"the service account of the namespace {name}"
        )
        yield name
    finally:
        await kubectl("delete", "pods", "--all", "-n", name, "--grace-period=0", "--force")
        await kubectl("delete", "namespace", name, "--wait=false")


async def _has_account(name: str) -> bool:
    return "default" in await names(name, "serviceaccounts")


def stack_settings(
    state_dir: Path, name: str, *, kubernetes: Mapping[str, Any] | None = None, **changes: Any
) -> AgentSettings:
    """Settings of a member in the namespace `name`, whose hub runs on this machine."""
    own = {
        "namespace": name,
        "hub": {"host": "127.0.0.1", "port": 0},
        "user": {"image_pull_tries": 2, "image_pull_policy": "IfNotPresent"},
        **(kubernetes or {}),
    }
    resources = {"memory_guarantee": "64M", "memory_limit": "512M", "cpu_limit": 2}
    values = {"stack": "kubernetes", "kubernetes": own, "resources": resources, **changes}
    return make_settings(state_dir, **values)


@dataclass
class LaunchSite:
    """A stack that runs, and what a launcher and a visitor do with it."""

    settings: AgentSettings
    stack: KubernetesStack
    client: httpx.AsyncClient

    @property
    def namespace(self) -> str:
        """Where its pods are."""
        return self.settings.kubernetes.namespace

    @property
    def hub(self) -> HubClient:
        """A launcher without any patience."""
        return HubClient(self.stack.hub, self.client)

    async def pod_of(self, session: Session) -> dict[str, Any]:
        """The session's pod."""
        pods = await objects(self.namespace, "pods", SERVERS)
        [found] = [pod for pod in pods if pod["metadata"]["name"] == f"session-{session.user}"]
        return found

    async def run(self, session: Session, code: str) -> str:
        """What `code` prints in a kernel of the session, through the hub's proxy."""
        url = f"{self.stack.hub.public_url}/user/{session.user}/"
        return await run_code_at(url, session.token, code)

    async def has_let_go(self) -> bool:
        """Whether no server's pod is there but those that are being deleted."""
        pods = await objects(self.namespace, "pods", SERVERS)
        return all(pod["metadata"].get("deletionTimestamp") for pod in pods)


@asynccontextmanager
async def launch_site(settings: AgentSettings) -> AsyncIterator[LaunchSite]:
    """The stack of `settings`, started."""
    stack = KubernetesStack(settings=settings)
    try:
        await stack.start()
        async with httpx.AsyncClient(trust_env=False, timeout=90) as client:
            yield LaunchSite(settings, stack, client)
    finally:
        await stack.aclose()


async def end_forcibly(name: str, pod: str) -> None:
    """Somebody ends the pod without a word."""
    await kubectl(
        "delete", "pod", pod, "-n", name, "--grace-period=0", "--force", "--ignore-not-found"
    )
