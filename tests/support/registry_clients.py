"""Clients of the imitated registry, as an agent would make them."""

from pathlib import Path
from typing import Any

import httpx

from binder_federation.cluster_agent.registry.client import RegistryClient, make_registry_client
from binder_federation.cluster_agent.registry.credentials.choose import choose_credentials
from binder_federation.cluster_agent.registry.inventory import RegistryImages, known_images_file
from binder_federation.cluster_agent.registry.last_used import LastUsed
from binder_federation.config.registry import RegistrySettings
from tests.support.fake_registry import PASSWORD, USERNAME, FakeRegistry

QUICK_SECONDS = 0.01
LOGIN: dict[str, Any] = {"credentials": "static", "username": USERNAME, "password": PASSWORD}


class Clock:
    """Seconds since the epoch, as the test has them."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def make_settings(registry: FakeRegistry, **changes: Any) -> RegistrySettings:
    """Settings for the registry; with its password, unless that is changed."""
    login = {} if registry.auth == "anonymous" else LOGIN
    return RegistrySettings(
        **{"repository": registry.repository, "allow_delete": True, **login, **changes}
    )


def make_client(
    registry: FakeRegistry,
    http: httpx.AsyncClient,
    *,
    clock: Clock | None = None,
    **changes: Any,
) -> RegistryClient:
    """A client whose pauses are short."""
    settings, clock = make_settings(registry, **changes), clock or Clock()
    return make_registry_client(
        settings,
        client=http,
        credentials=choose_credentials(settings, client=http, clock=clock),
        clock=clock,
        first_pause_seconds=QUICK_SECONDS,
    )


def make_images(
    registry: FakeRegistry,
    http: httpx.AsyncClient,
    folder: Path,
    *,
    clock: Clock | None = None,
    last_used: LastUsed | None = None,
    **changes: Any,
) -> RegistryImages:
    """An inventory with its state in `folder`."""
    clock = clock or Clock()
    return RegistryImages(
        client=make_client(registry, http, clock=clock, **changes),
        settings=make_settings(registry, **changes),
        last_used=last_used or LastUsed(path=folder / "last-used.json", clock=clock),
        file=known_images_file(folder / "registry-images.json", clock=clock),
    )
