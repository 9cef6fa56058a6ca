"""A hub as docs/zero-to-jupyterhub.md says: the document's own values, without its chart.

`configure_spawner` runs inside the hub's process (see `managed_hub/hub_config.py`), which gives
what the chart would: a proxy, a namespace. Everything else is read from the document.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from binder_federation.cluster_agent.stacks.managed_hub.run_settings import RunSettings

ROOT = Path(__file__).parents[2]
_VALUES = re.compile(r"^```yaml\n(# z2jh\.yaml\n.*?)^```", re.MULTILINE | re.DOTALL)


def documented_values() -> dict[str, Any]:
    """The values of the chart, as the document has them."""
    match = _VALUES.search((ROOT / "docs/zero-to-jupyterhub.md").read_text(encoding="utf-8"))
    assert match is not None, "docs/zero-to-jupyterhub.md has no block that begins with # z2jh.yaml"
    values: dict[str, Any] = yaml.safe_load(match[1])
    return values


def documented_token() -> str:
    """The agent's token in them."""
    return str(documented_values()["hub"]["services"]["binder-agent"]["apiToken"])


def configure_spawner(config: Any, settings: RunSettings) -> None:
    """What the chart makes of its values."""
    values, given = documented_values(), settings.spawner
    for name, service in values["hub"]["services"].items():
        config.JupyterHub.services.append({"name": name, "api_token": service["apiToken"]})
    for name, role in values["hub"]["loadRoles"].items():
        lacking = set(given["lacking_scopes"])
        scopes = [scope for scope in role["scopes"] if scope not in lacking]
        config.JupyterHub.load_roles.append({"name": name, **role, "scopes": scopes})
    config.KubeSpawner.namespace = given["namespace"]
    for code in values["hub"]["extraConfig"].values():
        exec(code, {"c": config})  # noqa: S102 - as the chart's own configuration file does
