"""How the Docker stack's hub starts servers: as containers, by DockerSpawner.

`plan_hub` is read by the agent, `configure_spawner` runs inside the hub's process.
"""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from binder_federation.cluster_agent.stacks.docker.engine import tool_environment
from binder_federation.cluster_agent.stacks.docker.isolation import disk_config, host_config
from binder_federation.cluster_agent.stacks.docker.labels import session_labels
from binder_federation.cluster_agent.stacks.docker.spawner import SessionContainerSpawner
from binder_federation.cluster_agent.stacks.managed_hub.hub import HubPlan
from binder_federation.cluster_agent.stacks.managed_hub.run_settings import RunSettings
from binder_federation.config.agent import AgentSettings
from binder_federation.config.isolation import IsolationSettings
from binder_federation.config.resources import ResourceSettings


def plan_hub(
    settings: AgentSettings,
    *,
    address: str,
    network: str,
    login_file: Path,
    most_sessions: int,
    can_limit_disk: bool,
) -> HubPlan:
    """The hub of the Docker stack; with `keep_servers` its servers outlive it."""
    own, state_dir = settings.docker, settings.state_dir.absolute()
    return HubPlan(
        folder=state_dir / "hub",
        owner_mark=str(state_dir),
        host=own.hub_host,
        port=own.hub_port,
        port_setting="docker.hub_port",
        most_sessions=most_sessions,
        spawner_module=__name__,
        spawner={
            "prefix": f"binderfed-{settings.name}",
            "labels": session_labels(settings.name, str(state_dir)),
            "network": network,
            "login_file": str(login_file),
            "pulls_from": settings.registry.repository,
            "isolation": settings.isolation.model_dump(mode="json"),
            "resources": settings.resources.model_dump(mode="json"),
            "can_limit_disk": can_limit_disk,
            "published_at": published_at(address) if own.servers_at == "port" else "",
        },
        public_url=own.public_url or "",
        database=state_dir / "hub.sqlite" if own.keep_servers else None,
        variables=tool_environment(address),
    )


def published_at(address: str) -> str:
    """Where a server's port is published: where the engine is."""
    host = urlsplit(address).hostname if address.startswith("tcp://") else None
    return host or "127.0.0.1"


def configure_spawner(config: Any, settings: RunSettings) -> None:
    """Fill JupyterHub's configuration object, inside the hub's process."""
    given = settings.spawner
    isolation = IsolationSettings.model_validate(given["isolation"])
    config.JupyterHub.spawner_class = SessionContainerSpawner
    spawner = config.SessionContainerSpawner
    spawner.name_template = given["prefix"] + "-{machine_name}"
    spawner.prefix = given["prefix"]
    spawner.session_labels = given["labels"]
    spawner.login_file = given["login_file"]
    spawner.pulls_from = given["pulls_from"]
    spawner.resources = ResourceSettings.model_validate(given["resources"]).model_dump()
    spawner.shared_host_config = host_config(isolation)
    spawner.disk_config = disk_config(isolation) if given["can_limit_disk"] else {}
    spawner.run_as_user = "" if isolation.run_as_user is None else str(isolation.run_as_user)
    spawner.may_be_root = not isolation.run_as_non_root or isolation.run_as_user == 0
    spawner.network_name = given["network"]
    spawner.use_internal_ip = not given["published_at"]
    if given["published_at"]:
        spawner.host_ip = given["published_at"]
    spawner.remove = True
    spawner.allowed_images = "*"  # the agent alone names them
    spawner.poll_interval = 5
    spawner.http_timeout = 30
    spawner.apply_user_options = lambda _spawner, _options: None  # `start` reads them
