"""The configuration file of a hub that the agent runs; `hub_config.py` has the content."""

import os
from pathlib import Path

from binder_federation.cluster_agent.stacks.managed_hub.hub_config import configure_hub
from binder_federation.cluster_agent.stacks.managed_hub.run_settings import (
    SETTINGS_VARIABLE,
    read_run_settings,
)

config = get_config()  # type: ignore[name-defined] # noqa: F821 - JupyterHub's loader gives it
configure_hub(config, read_run_settings(Path(os.environ[SETTINGS_VARIABLE])))
