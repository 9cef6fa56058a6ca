"""Two members, installed from the chart in two namespaces, joined to one federation."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.parse import unquote

import httpx
import pytest
import pytest_asyncio

from tests.support.browser import browser
from tests.support.federation_process import FederationProcess, federation_process
from tests.support.git_server import GitServer
from tests.support.helm_member import HelmMember, helm_member
from tests.support.notebooks import notebook_files
from tests.support.ports import free_port
from tests.support.project_image import project_image
from tests.support.running_up import git_path
from tests.support.site import TcpGate, host_address, tcp_gate

__all__ = ["browser"]


@dataclass
class Site:
    """All of it, and a place for repositories."""

    federation: FederationProcess
    members: dict[str, HelmMember]
    git: GitServer
    registry_gate: TcpGate
    base_image: str

    def repository(self, name: str, *, more: str = "") -> str:
        """A new repository's launch path; `more` are lines of its Dockerfile."""
        self.git.create(name, notebook_files(self.base_image, name=name, more=more))
        return git_path(f"{self.git.url}/{name}")

    async def registry_has(self, member: str, path: str) -> bool:
        """Whether the member's repository in the registry has an image of the path's repository."""
        repository = self.members[member].registry_repository.partition("/")[2]
        async with httpx.AsyncClient(timeout=10) as client:
            url = f"http://{self.registry_gate.address}/v2/{repository}/tags/list"
            tags = (await client.get(url)).json().get("tags") or []
        slug = unquote(path).removesuffix("/HEAD").rpartition("/")[2]
        return any(slug in tag for tag in tags)

    async def both_up(self) -> None:
        """Until both members take launches."""
        await self.federation.wait_until("up", *self.members)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site(
    kubeconfig: str,
    docker_engine: str,
    registry: str,
    base_image: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Site]:
    """Made once: an installation takes half a minute."""
    folder = tmp_path_factory.mktemp("site")
    host = host_address()
    image = await asyncio.to_thread(project_image)
    port = free_port()
    registry_host, _, registry_port = registry.partition(":")
    async with AsyncExitStack() as stack:
        git = await stack.enter_async_context(GitServer(folder / "git", host=host))
        gate = await stack.enter_async_context(tcp_gate(host, (registry_host, int(registry_port))))
        members = {
            name: await stack.enter_async_context(
                helm_member(
                    name,
                    image=image,
                    federation_url=f"http://{host}:{port}",
                    registry=registry,
                    registry_url=f"http://{gate.address}",
                    trusted=f"{git.url}/",
                    values_folder=folder,
                )
            )
            for name in ("alpha", "beta")
        }
        federation = await stack.enter_async_context(
            federation_process(
                folder / "federation",
                host=host,
                port=port,
                members=[member.for_federation for member in members.values()],
                providers={"trusted_prefixes": [f"{git.url}/"]},
            )
        )
        made = Site(federation, members, git, gate, base_image)
        await made.both_up()
        yield made
