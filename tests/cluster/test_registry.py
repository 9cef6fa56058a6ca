"""The registry client against a real registry, named by TESTBED_REGISTRY (`127.0.0.1:5000`).

It must be open to everybody and allow deletion. Each test has a repository of its own
there, and deletes what it put into it.
"""

import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from binder_federation.cluster_agent.registry.client import make_registry_client
from binder_federation.cluster_agent.registry.credentials.base import NoCredentials
from binder_federation.cluster_agent.registry.inventory import RegistryImages
from binder_federation.cluster_agent.registry.last_used import LastUsed
from binder_federation.config.registry import RegistrySettings
from tests.support.registry_contract import Place, RegistryContract, soon
from tests.support.registry_images import MadeImage, upload


@dataclass
class RealPlace(Place):
    """A repository of the real registry."""

    http: httpx.AsyncClient
    settings: RegistrySettings
    tags: set[str] = field(default_factory=set)

    async def put(self, tag: str, image: MadeImage) -> None:
        self.tags.add(tag)
        await upload(self.http, self.settings.api_url, self.settings.name, tag, image)


@pytest.fixture
async def place(registry: str, tmp_path: Path) -> AsyncIterator[RealPlace]:
    """A new repository."""
    settings = RegistrySettings(
        repository=f"{registry}/binder-test/{secrets.token_hex(6)}", allow_delete=True
    )
    async with httpx.AsyncClient() as http:
        client = make_registry_client(
            settings, client=http, credentials=NoCredentials(), clock=time.time
        )
        last_used = LastUsed(path=tmp_path / "last-used.json", clock=time.time)
        images = RegistryImages(client=client, settings=settings, last_used=last_used)
        made = RealPlace(client, images, http, settings)
        yield made
        for tag in made.tags:
            await client.delete(tag, deadline=soon())


class TestRealRegistry(RegistryContract):
    """The contract, with nothing imitated."""
