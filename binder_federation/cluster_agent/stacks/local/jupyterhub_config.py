"""The configuration file of the local stack's JupyterHub; `hub_config.py` has the content."""

import os
from pathlib import Path

from binder_federation.cluster_agent.stacks.local.hub_config import configure_hub
from binder_federation.cluster_agent.stacks.local.hub_settings import (
    SETTINGS_VARIABLE,
    read_hub_settings,
)

config = get_config()  # type: ignore[name-defined] # noqa: F821 - JupyterHub's loader gives it
configure_hub(config, read_hub_settings(Path(os.environ[SETTINGS_VARIABLE])))
