"""How the local stack's hub starts servers: as processes of this user."""

from pathlib import Path
from typing import Any

from binder_federation.cluster_agent.stacks.local.folders import StackFolders
from binder_federation.cluster_agent.stacks.local.spawner import SessionSpawner
from binder_federation.cluster_agent.stacks.managed_hub.hub import HubPlan
from binder_federation.cluster_agent.stacks.managed_hub.run_settings import RunSettings
from binder_federation.config.agent import LocalStackSettings


def plan_hub(local: LocalStackSettings, folders: StackFolders, *, most_sessions: int) -> HubPlan:
    """The hub of the local stack: everything about it ends with the agent."""
    return HubPlan(
        folder=folders.hub,
        owner_mark=str(folders.root),
        host=local.hub_host,
        port=local.hub_port,
        port_setting="local.hub_port",
        most_sessions=most_sessions,
        spawner_module=__name__,
        spawner={"state_dir": str(folders.root)},
    )


def configure_spawner(config: Any, settings: RunSettings) -> None:
    """Fill JupyterHub's configuration object, inside the hub's process."""
    config.JupyterHub.spawner_class = SessionSpawner
    spawner = config.SessionSpawner
    spawner.state_dir = str(Path(settings.spawner["state_dir"]))
    spawner.http_timeout = 30
    spawner.poll_interval = 5
    spawner.apply_user_options = lambda _spawner, _options: None  # `start` reads them
