"""What one server gets: the member's settings, and what its launch asks for instead.

The names in `user_options` are JupyterHub's own: `mem_limit`, `mem_guarantee`,
`cpu_limit`, `cpu_guarantee`. The agent fills them in from its `patterns`.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from binder_federation.config.resources import ResourceSettings

_SETTINGS = {
    "mem_limit": "memory_limit",
    "mem_guarantee": "memory_guarantee",
    "cpu_limit": "cpu_limit",
    "cpu_guarantee": "cpu_guarantee",
}


def read_resources(options: Mapping[str, Any], usual: ResourceSettings) -> ResourceSettings:
    """What this server gets; ValueError with a sentence when an option makes no sense."""
    asked = {
        setting: options[option]
        for option, setting in _SETTINGS.items()
        if options.get(option) not in (None, "")
    }
    try:
        return ResourceSettings.model_validate({**usual.model_dump(), **asked})
    except ValidationError as error:
        names = ", ".join(str(problem["loc"][0]) for problem in error.errors())
        raise ValueError(f"The launch asks for resources that make no sense: {names}.") from error
