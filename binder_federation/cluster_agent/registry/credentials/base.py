"""The seam between a registry's client and where its credentials come from.

`fetch` brings a user and a password. Kinds whose password lasts minutes or hours
(`google.py`, `ecr.py`) are wrapped into `CachedCredentials`. Failures are
`RegistryUnavailable`, which the connection tries again, and `RegistryDenied`.
"""

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from binder_federation.cluster_agent.registry.errors import RegistryUnavailable

DOCKER_HUB_KEY = "https://index.docker.io/v1/"
"""What Docker Hub is called in a `config.json`, for reasons of history."""


@dataclass(frozen=True, slots=True)
class RegistryLogin:
    """A user and a password, until `expires_at` (seconds since the epoch)."""

    username: str
    password: str = field(repr=False)
    expires_at: float | None = None

    def to_basic(self) -> str:
        """The value of an `Authorization` header."""
        return f"Basic {self.to_base64()}"

    def to_base64(self) -> str:
        """`user:password` in base64, as both `Authorization` and Docker's files have it."""
        return base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


class Credentials(Protocol):
    """Where a login comes from."""

    async def fetch(self) -> RegistryLogin | None:
        """The login to use now; None to go without. Raises `RegistryError`."""


class NoCredentials:
    """The registry is open to everybody who reaches it."""

    async def fetch(self) -> RegistryLogin | None:
        """None."""
        return None


class CachedCredentials:
    """Keeps a login until `margin_seconds` before its end, and to its end if there is no other."""

    def __init__(
        self, *, inner: Credentials, clock: Callable[[], float], margin_seconds: float
    ) -> None:
        """`clock` gives seconds since the epoch."""
        self._inner = inner
        self._clock = clock
        self._margin_seconds = margin_seconds
        self._login: RegistryLogin | None = None
        self._lock = asyncio.Lock()

    async def fetch(self) -> RegistryLogin | None:
        """The login that is kept, or a new one; asked for once however many want it."""
        async with self._lock:
            if not self._lasts(self._margin_seconds):
                await self._renew()
            return self._login

    async def _renew(self) -> None:
        try:
            self._login = await self._inner.fetch()
        except RegistryUnavailable:
            if not self._lasts(0):
                raise

    def _lasts(self, seconds: float) -> bool:
        if self._login is None:
            return False
        expires_at = self._login.expires_at
        return expires_at is None or expires_at - self._clock() > seconds


def docker_config_json(login: RegistryLogin, registry_host: str) -> str:
    """The `config.json` with which `docker push` to that host logs in.

    It holds a secret: it belongs into a folder that only the build can read.
    """
    key = DOCKER_HUB_KEY if registry_host == "docker.io" else registry_host
    auth = login.to_base64()
    return json.dumps({"auths": {key: {"auth": auth}}})
