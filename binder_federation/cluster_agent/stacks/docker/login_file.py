"""The registry's login in a file, for the hub's process: its spawner pulls what is missing.

Logins of clouds last hours or minutes, so the file is kept fresh (`ensure`, every few
seconds); it is replaced whole, and only this user reads it.
"""

import asyncio
import contextlib
import os
from pathlib import Path

import structlog

from binder_federation.cluster_agent.registry.credentials.base import (
    Credentials,
    docker_config_json,
)
from binder_federation.cluster_agent.registry.errors import RegistryError
from binder_federation.config.registry import RegistrySettings

log = structlog.get_logger(__name__)


class LoginFile:
    """`config.json` at `path`, or none where the registry needs no login."""

    def __init__(self, *, path: Path, credentials: Credentials, registry: RegistrySettings) -> None:
        self._path = path
        self._credentials = credentials
        self._registry = registry
        self._written = ""

    async def ensure(self) -> None:
        """Have the file hold the login of now; the old one stays when there is no new one."""
        if not self._registry.repository:
            return
        try:
            login = await self._credentials.fetch()
        except RegistryError as error:
            log.warning("registry_login_missing", reason=error.message)
            return
        text = docker_config_json(login, self._registry.host) if login else ""
        if text != self._written:
            await asyncio.to_thread(self._write, text)
            self._written = text

    def remove(self) -> None:
        """Leave no secret behind."""
        self._path.unlink(missing_ok=True)
        self._written = ""

    def _write(self, text: str) -> None:
        if not text:
            self._path.unlink(missing_ok=True)
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._path.with_name(f".{self._path.name}.new")
        with contextlib.suppress(FileNotFoundError):
            new.unlink()
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        new.replace(self._path)
