"""How a hub that the agent runs is set up: for visitors without accounts.

Nobody can log in: servers are started by the agent through the REST API, and the
visitor has the server's own token. How a server is started is the stack's own: its
module's `configure_spawner` is called last. Nothing listens beyond the public address,
and the proxy makes no outgoing requests.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

import bcrypt

from binder_federation.cluster_agent.stacks.managed_hub.proxy import SessionProxy
from binder_federation.cluster_agent.stacks.managed_hub.run_settings import RunSettings
from binder_federation.runtime import processes

_AGENT_SCOPES = [
    "servers",
    "admin:users",
    "admin:servers",
    "admin:groups",  # which warm servers were handed out (warm/handouts.py)
    "users:activity",
    "read:hub",
]
_CULLER_SCOPES = [
    "list:users",
    "read:users:activity",
    "read:servers",
    "delete:servers",
    "admin:users",
]


def configure_hub(config: Any, settings: RunSettings) -> None:
    """Fill JupyterHub's configuration object (`config`) from our settings."""
    _configure_application(config, settings)
    _configure_proxy(config, settings)
    _configure_services(config, settings)
    _configure_servers(config, settings)
    importlib.import_module(settings.spawner_module).configure_spawner(config, settings)


def _configure_application(config: Any, settings: RunSettings) -> None:
    hub = config.JupyterHub
    hub.bind_url = f"http://{settings.public_host}:{settings.public_port}/"
    hub.hub_ip = "127.0.0.1"
    hub.hub_port = settings.hub_port
    hub.db_url = settings.database_url
    hub.cookie_secret_file = str(Path(settings.folder) / "cookie_secret")
    hub.authenticator_class = "null"
    hub.proxy_class = SessionProxy
    hub.allow_named_servers = settings.are_servers_named  # the agent counts a user's
    # The agent queues launches and counts sessions; these are the second line.
    hub.concurrent_spawn_limit = settings.concurrent_launches
    hub.active_server_limit = settings.most_servers
    hub.tornado_settings = {"slow_spawn_timeout": 0, "slow_stop_timeout": 30}
    hub.cleanup_servers = not settings.are_servers_kept
    hub.cleanup_proxy = True


def _configure_proxy(config: Any, settings: RunSettings) -> None:
    hub_dir = Path(settings.folder)
    proxy = config.SessionProxy
    proxy.traefik_binary = settings.traefik_binary
    proxy.static_config_file = str(hub_dir / "traefik.toml")
    proxy.dynamic_config_file = str(hub_dir / "routes.toml")
    proxy.traefik_api_url = f"http://127.0.0.1:{settings.traefik_port}"
    proxy.traefik_api_username = "hub"
    proxy.traefik_api_password = settings.proxy_password
    # The proxy hashes the password for each request that waits for a route. The default 12
    # rounds take 0.2 s each, and a random password of 256 bits needs no slow hash.
    cheap = bcrypt.hashpw(settings.proxy_password.encode(), bcrypt.gensalt(rounds=4))
    proxy.traefik_api_hashed_password = cheap.decode("ascii")
    proxy.traefik_log_level = "WARN"
    proxy.extra_static_config = {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "entryPoints": {
            # A visitor may upload for longer than the default minute, and may name a file `50%`.
            "http": {
                "transport": {"respondingTimeouts": {"readTimeout": "0s"}},
                "http": {"encodedCharacters": _ALL_CHARACTERS},
            },
        },
    }


_ALL_CHARACTERS = {
    f"allowEncoded{name}": True
    for name in ("Slash", "BackSlash", "NullCharacter", "Semicolon", "Percent", "QuestionMark")
} | {"allowEncodedHash": True}


def _configure_services(config: Any, settings: RunSettings) -> None:
    culler = [
        sys.executable,
        "-m",
        processes.__name__,  # so that it ends with the hub
        sys.executable,
        "-m",
        "jupyterhub_idle_culler",
        f"--timeout={settings.cull_idle_seconds}",
        f"--cull-every={settings.cull_every_seconds}",
        f"--max-age={settings.max_age_seconds}",
        # It cannot tell who is logged in: then the agent removes temporary users (removal.py).
        f"--cull-users={not settings.are_servers_named}",
        f"--remove-named-servers={settings.are_servers_named}",
    ]
    # The hub ends its services before anything else, and asks politely for a minute by default.
    config.LocalProcessSpawner.interrupt_timeout = 1
    config.LocalProcessSpawner.term_timeout = 1
    config.JupyterHub.services = [
        {"name": "binder", "api_token": settings.service_token},
        # The hub gives its services an environment of their own: the mark is not inherited.
        {
            "name": "idle-culler",
            "command": culler,
            "environment": {processes.OWNER_MARK: settings.owner_mark},
        },
    ]
    config.JupyterHub.load_roles = [
        {"name": "binder-agent", "services": ["binder"], "scopes": _AGENT_SCOPES},
        {"name": "culler", "services": ["idle-culler"], "scopes": _CULLER_SCOPES},
    ]


def _configure_servers(config: Any, settings: RunSettings) -> None:
    config.Spawner.start_timeout = settings.start_timeout_seconds
    config.Spawner.consecutive_failure_limit = 0  # failures of repositories must not stop the hub
