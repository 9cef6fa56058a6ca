"""The folder that `docker` and buildx are given as `DOCKER_CONFIG`: made for one build.

The user's own may name contexts, helpers and builders that are not meant; it may hold
logins that a build has no use for. A Dockerfile of a stranger's can begin with any
image that the logins let it have, so they are there only where they are needed.
https://github.com/docker/cli/blob/master/docs/reference/commandline/config.md
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from binder_federation.cluster_agent.registry.credentials.base import RegistryLogin
from binder_federation.cluster_agent.registry.credentials.static import login_in
from binder_federation.cluster_agent.stacks.repo2docker.order import BuildOrder

_PLUGINS = "cli-plugins"


def given_config(inherited: Mapping[str, str]) -> Path:
    """The `config.json` that this process was given; it may not be there."""
    folder = inherited.get("DOCKER_CONFIG") or "~/.docker"
    return Path(os.path.expanduser(folder)) / "config.json"  # noqa: PTH111 - no home is fine


def find_login(config: Path, image: str) -> RegistryLogin | None:
    """The login for the repository of `image`; None when there is none.

    Raises ValueError when the file is not what it should be.
    """
    try:
        return login_in(config.read_text(encoding="utf-8"), image)
    except FileNotFoundError:
        return None


def write_docker_config(folder: Path, *, given: Path, order: BuildOrder) -> None:
    """Make `folder` with a `config.json` for the build of `order`."""
    folder.mkdir(mode=0o700)
    content: dict[str, Any] = {"cliPluginsExtraDirs": [str(given.parent / _PLUGINS)]}
    if _needs_logins(order) and given.is_file():
        content["auths"] = json.loads(given.read_text(encoding="utf-8")).get("auths", {})
    path = folder / "config.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(content), encoding="utf-8")


def _needs_logins(order: BuildOrder) -> bool:
    """The builder pushes, or the operator's base image is on a registry of its own."""
    host, slash, _ = order.base_image.partition("/")
    has_own_registry = bool(slash) and ("." in host or ":" in host)
    return order.push == "buildkit" or has_own_registry
