"""What the agent tells its JupyterHub, in a file that only this user can read."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SETTINGS_VARIABLE = "BINDERFED_HUB_SETTINGS"
"""Names the file, for `jupyterhub_config.py`."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """Addresses, secrets and limits of one run of the hub."""

    owner_mark: str
    """What everything below the hub carries as `OWNER_MARK`."""
    folder: str
    public_host: str
    public_port: int
    hub_port: int
    traefik_port: int
    traefik_binary: str
    service_token: str
    proxy_password: str
    concurrent_launches: int
    most_servers: int
    start_timeout_seconds: int
    cull_idle_seconds: int
    cull_every_seconds: int
    max_age_seconds: int
    database_url: str
    are_servers_named: bool
    """Whether users who are logged in have several servers, and stay."""
    are_servers_kept: bool
    """Whether users' servers go on when the hub stops, and are found again."""
    spawner_module: str
    """The module whose `configure_spawner(config, settings)` says how servers are started."""
    spawner: Mapping[str, Any]
    """What that module needs."""


def write_run_settings(path: Path, settings: RunSettings) -> None:
    """Write `settings` to a new file at `path`, which holds secrets."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(settings), file)


def read_run_settings(path: Path) -> RunSettings:
    """The settings that the agent wrote to `path`."""
    return RunSettings(**json.loads(path.read_text(encoding="utf-8")))
