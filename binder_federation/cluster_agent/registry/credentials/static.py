"""A user and a password that the operator gave, in the settings or in a Docker `config.json`.

The file is read again whenever it changes: a mounted Kubernetes Secret is replaced
in place when somebody rotates it.
https://github.com/docker/cli/blob/master/docs/reference/commandline/config.md
"""

import asyncio
import base64
import binascii
import json
import re
from pathlib import Path

from binder_federation.cluster_agent.registry.credentials.base import DOCKER_HUB_KEY, RegistryLogin
from binder_federation.cluster_agent.registry.errors import RegistryDenied

_FileState = tuple[int, int, int]


class StaticCredentials:
    """Always the same login."""

    def __init__(self, *, login: RegistryLogin) -> None:
        self._login = login

    async def fetch(self) -> RegistryLogin | None:
        """The login."""
        return self._login


class DockerConfigCredentials:
    """The login for `repository` (`host/name`) in the file at `path`."""

    def __init__(self, *, path: Path, repository: str) -> None:
        self._path = path
        self._repository = repository
        self._read_at: _FileState | None = None
        self._login: RegistryLogin | None = None

    async def fetch(self) -> RegistryLogin | None:
        """The login as the file has it now."""
        try:
            await asyncio.to_thread(self._refresh)
        except (OSError, ValueError) as error:
            raise RegistryDenied(
                "The member's file of registry credentials cannot be read.",
                advice=f"Check {self._path}: it must be a Docker config.json.",
            ) from error
        if self._login is None:
            raise RegistryDenied(
                f"There are no registry credentials for {self._repository.partition('/')[0]}.",
                advice=f"Add user and password for it to `auths` in {self._path}; helper "
                "programs (credsStore, credHelpers) and identity tokens are not used.",
            )
        return self._login

    def _refresh(self) -> None:
        status = self._path.stat()
        state = (status.st_mtime_ns, status.st_size, status.st_ino)
        if state != self._read_at:
            self._login = login_in(self._path.read_text(encoding="utf-8"), self._repository)
            self._read_at = state


def login_in(text: str, repository: str) -> RegistryLogin | None:
    """The login for `repository` in a `config.json`: the entry with the longest matching name.

    Names are hosts, URLs of hosts, or hosts with the beginning of a path. Raises
    ValueError when the text is no such file.
    """
    auths = _mapping(_mapping(json.loads(text)).get("auths", {}))
    named = {_plain(name): _mapping(entry) for name, entry in auths.items()}
    parts = repository.split("/")
    for length in range(len(parts), 0, -1):
        entry = named.get("/".join(parts[:length]))
        login = _login(entry) if entry is not None else None
        if login is not None:
            return login
    return None


def _plain(name: str) -> str:
    if name == DOCKER_HUB_KEY:
        return "docker.io"
    return re.sub(r"/v[12]/?$", "", re.sub(r"^https?://", "", name)).rstrip("/")


def _login(entry: dict[str, object]) -> RegistryLogin | None:
    auth = entry.get("auth")
    if isinstance(auth, str) and auth:
        try:
            username, _, password = base64.b64decode(auth, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ValueError("an `auth` is not base64 of user:password") from error
        # Docker itself ignores zero bytes at the end.
        return _complete(username, password.rstrip("\0"))
    return _complete(entry.get("username"), entry.get("password"))


def _complete(username: object, password: object) -> RegistryLogin | None:
    if isinstance(username, str) and isinstance(password, str) and username and password:
        return RegistryLogin(username, password)
    return None


def _mapping(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError("not a mapping where one is expected")
    return value
