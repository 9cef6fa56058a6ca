"""The registry client's contract with the imitated registry, in each of its kinds."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.fake_registry import Auth, FakeRegistry
from tests.support.registry_clients import make_client, make_images
from tests.support.registry_contract import Place, RegistryContract
from tests.support.registry_images import MadeImage


@dataclass
class FakePlace(Place):
    """The repository of the imitated registry."""

    registry: FakeRegistry

    async def put(self, tag: str, image: MadeImage) -> None:
        self.registry.add(tag, image)


@pytest.fixture(params=["anonymous", "basic", "token"])
async def place(
    request: pytest.FixtureRequest, http: httpx.AsyncClient, tmp_path: Path
) -> AsyncIterator[FakePlace]:
    """An imitated registry with small pages, and its layers elsewhere."""
    auth: Auth = request.param
    async with FakeRegistry(auth=auth) as registry:
        registry.page_size = 2
        registry.redirects_blobs = True
        client, images = make_client(registry, http), make_images(registry, http, tmp_path)
        yield FakePlace(client, images, registry)
        assert not registry.store_got_authorization, "another host was shown our credentials"


class TestFakeRegistry(RegistryContract):
    """The contract, in every kind of authorization."""
