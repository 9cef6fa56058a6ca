"""Builds on a real cluster: a namespace of the test's own, a git server that pods reach, builders.

The git server listens on every address of this machine, under the one that the node reaches it
at. Pods do not talk to the registry themselves: the node's engine pushes.
"""

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from binder_federation.binder.events import Phase
from binder_federation.binder.providers import make_git_access
from binder_federation.binder.spec import LaunchSpec
from binder_federation.cluster_agent.registry.client import RegistryClient, make_registry_client
from binder_federation.cluster_agent.registry.credentials.base import Credentials, NoCredentials
from binder_federation.cluster_agent.registry.inventory import RegistryImages
from binder_federation.cluster_agent.registry.last_used import LastUsed
from binder_federation.cluster_agent.stacks.base import BuildPlan
from binder_federation.cluster_agent.stacks.kubernetes.builder import KubernetesBuilder
from binder_federation.cluster_agent.stacks.kubernetes.client import KubernetesApi
from binder_federation.config.agent import AgentSettings
from tests.support.eventually import eventually
from tests.support.git_repositories import GitRepository
from tests.support.git_server import GitServer
from tests.support.kubectl import kubectl, names, objects

MEMBER = "kbuild"
COMPONENT = "app.kubernetes.io/component=build"


class Progress:
    """What a build told."""

    def __init__(self) -> None:
        self.phases: list[Phase] = []
        self.lines: list[str] = []

    def enter(self, phase: Phase, message: str) -> None:
        if phase not in self.phases:
            self.phases.append(phase)
        self.lines.append(message)

    def log(self, line: str) -> None:
        self.lines.append(line)

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(self.lines)


@dataclass
class BuildSite:
    """One namespace to build in."""

    namespace: str
    server: GitServer
    url: str
    """The git server, as pods reach it."""
    folder: Path
    settings: AgentSettings
    http: httpx.AsyncClient
    resources: AsyncExitStack

    async def plan(self, repository: GitRepository) -> BuildPlan:
        """The build of the repository as it is now."""
        address = f"{self.url}/{repository.path.name}"
        spec = LaunchSpec("git", address, "HEAD")
        commit = repository.head()
        source = await make_git_access(self.settings.providers, self.http).source_for_url(address)
        return BuildPlan(spec.image_key(commit), spec, commit, source)

    def change(self, **build: Any) -> None:
        """Other settings of build pods, for builders that are made from now on."""
        pods = self.settings.kubernetes.build.model_copy(update=build)
        kubernetes = self.settings.kubernetes.model_copy(update={"build": pods})
        self.settings = self.settings.model_copy(update={"kubernetes": kubernetes})

    async def remove_pushed(self) -> None:
        """Remove what builds pushed from the registry."""
        deadline = asyncio.get_running_loop().time() + 30
        client = self.registry_client()
        for tag in await client.list_tags(deadline=deadline):
            await client.delete(tag, deadline=deadline)

    def registry_client(self) -> RegistryClient:
        """A client of the test's own images."""
        return make_registry_client(
            self.settings.registry,
            client=self.http,
            credentials=NoCredentials(),
            clock=time.time,
        )

    async def builder(
        self, *, api: KubernetesApi | None = None, credentials: Credentials | None = None
    ) -> KubernetesBuilder:
        """A builder, as an agent has one."""
        api = api or await self.api()
        credentials = credentials or NoCredentials()
        client = self.registry_client()
        return KubernetesBuilder(
            api=api,
            settings=self.settings,
            registry=RegistryImages(
                client=client,
                settings=self.settings.registry,
                last_used=LastUsed(path=self.folder / "last-used.json", clock=time.time),
            ),
            credentials=credentials,
            clock=time.monotonic,
            now=time.time,
        )

    async def api(self) -> KubernetesApi:
        """A client of the namespace, closed with the site."""
        api = await KubernetesApi.open(namespace=self.namespace)
        self.resources.push_async_callback(api.aclose)
        return api

    async def pods(self) -> list[dict[str, Any]]:
        """The build pods that are there."""
        return await objects(self.namespace, "pods", COMPONENT)

    async def secrets(self) -> list[str]:
        """The names of the Secrets of builds."""
        return await names(self.namespace, "secrets", COMPONENT)

    async def is_let_go(self) -> bool:
        """Whether what is left is being deleted: nodes may take a minute to end a pod."""
        pods = await self.pods()
        going = {
            each["metadata"]["uid"] for each in pods if each["metadata"].get("deletionTimestamp")
        }
        owners = [
            each["metadata"]["ownerReferences"][0]["uid"]
            for each in await objects(self.namespace, "secrets", COMPONENT)
        ]
        return len(going) == len(pods) and all(owner in going for owner in owners)

    async def has_nothing_left(self) -> bool:
        """Whether neither a pod nor a Secret of a build is there."""
        return not await self.pods() and not await self.secrets()


@asynccontextmanager
async def build_site(folder: Path, *, registry: str, image: str) -> AsyncIterator[BuildSite]:
    """A namespace and what else builds need; all of it is removed at the end."""
    suffix = secrets.token_hex(4)
    namespace = f"bf-kbuild-{suffix}"
    repository = f"{registry}/kbuild/{suffix}"
    async with AsyncExitStack() as resources:
        await kubectl("create", "namespace", namespace)
        resources.push_async_callback(
            kubectl, "delete", "namespace", namespace, "--wait=false", "--grace-period=1"
        )
        await eventually(
            lambda: _has_account(namespace), what=f"the service account of {namespace}"
        )
        server = await resources.enter_async_context(GitServer(folder / "git", host="0.0.0.0"))
        http = await resources.enter_async_context(httpx.AsyncClient(trust_env=False))
        url = f"http://{await reachable_address()}:{server.port}"
        site = BuildSite(
            namespace=namespace,
            server=server,
            url=url,
            folder=folder,
            settings=make_settings(namespace, repository, image, url),
            http=http,
            resources=resources,
        )
        resources.push_async_callback(remove_images, repository)
        resources.push_async_callback(site.remove_pushed)
        yield site


def make_settings(namespace: str, repository: str, image: str, git_url: str) -> AgentSettings:
    """An agent's settings for builds in the namespace."""
    return AgentSettings.model_validate(
        {
            "name": MEMBER,
            "credential": "a-credential-for-tests-of-at-least-32-bytes",
            "stack": "kubernetes",
            "registry": {"repository": repository, "allow_delete": True},
            "providers": {"trusted_prefixes": [f"{git_url}/"], "allow_private_addresses": True},
            "build": {"timeout_seconds": 120},
            "kubernetes": {
                "namespace": namespace,
                "build": {"image": image, "starting_seconds": 60, "engine_groups": engine_groups()},
            },
        }
    )


def engine_groups() -> list[int]:
    """The group that owns the engine's socket here, if there is one."""
    socket_path = Path("/var/run/docker.sock")
    return [socket_path.stat().st_gid] if socket_path.exists() else []


async def reachable_address() -> str:
    """This machine's address on the way to the cluster's first node."""
    [node, *_] = await objects("default", "nodes")
    addresses = {each["type"]: each["address"] for each in node["status"]["addresses"]}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((addresses["InternalIP"], 9))
        return str(probe.getsockname()[0])


async def _has_account(namespace: str) -> bool:
    return "default" in await names(namespace, "serviceaccounts")


async def remove_images(repository: str) -> None:
    """Remove what was built from the engine."""
    process = await asyncio.create_subprocess_exec(
        "docker", "images", "--quiet", "--filter", f"reference={repository}:*",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    found = sorted(set(output.decode().split()))
    if found:
        removal = await asyncio.create_subprocess_exec(
            "docker", "rmi", "--force", *found, stdout=asyncio.subprocess.DEVNULL
        )
        await removal.wait()
