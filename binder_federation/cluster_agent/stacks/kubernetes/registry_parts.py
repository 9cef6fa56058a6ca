"""The member's registry as the stack uses it: its client, its inventory, its check."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from binder_federation.binder.messages import CheckRecord
from binder_federation.cluster_agent.registry.client import RegistryClient, make_registry_client
from binder_federation.cluster_agent.registry.credentials.base import Credentials
from binder_federation.cluster_agent.registry.errors import RegistryError
from binder_federation.cluster_agent.registry.inventory import RegistryImages, known_images_file
from binder_federation.cluster_agent.registry.last_used import LastUsed
from binder_federation.config.registry import RegistrySettings

_PING_SECONDS = 5.0


class RegistryParts:
    """One registry. Files are in the folder `root`."""

    def __init__(
        self,
        *,
        settings: RegistrySettings,
        http: httpx.AsyncClient,
        credentials: Credentials,
        last_used: LastUsed,
        root: Path,
    ) -> None:
        self.client: RegistryClient = make_registry_client(
            settings, client=http, credentials=credentials, clock=time.time
        )
        file = known_images_file(root / "registry-images.json", clock=time.time)
        self.images = RegistryImages(
            client=self.client, settings=settings, last_used=last_used, file=file
        )

    async def checks(self) -> Sequence[CheckRecord]:
        """Whether the registry answers; the name is BinderHub's."""
        try:
            deadline = asyncio.get_running_loop().time() + _PING_SECONDS
            await self.client.ping(deadline=deadline)
        except RegistryError as error:
            return (CheckRecord(service="Docker registry", ok=False, message=error.message),)
        return (CheckRecord(service="Docker registry", ok=True),)
