"""Which Python an environment is made with."""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from binder_federation.cluster_agent.stacks.host.tool_runs import run_tool
from binder_federation.cluster_agent.stacks.local.unsupported import unsupported

BASE_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
"""The agent's own, which base environments are made with."""

_MINOR = re.compile(r"(\d+\.\d+)\.")


async def ensure_python(
    version: str, *, file: str, uv: str, variables: Mapping[str, str], may_download: bool
) -> None:
    """Raise `UnsupportedRepository` when uv has no Python `version`, which `file` asks for."""
    if may_download:
        return  # uv fetches it when it makes the environment
    command = [uv, "python", "find", "--no-project", "--no-python-downloads", version]
    result = await run_tool(command, cwd=Path("/"), variables=variables, on_line=_nothing)
    if result.is_ok:
        return
    versions = await _installed(uv, variables)
    raise unsupported(
        file, f"Python {version}, and this member has {', '.join(versions) or BASE_PYTHON}"
    )


async def _installed(uv: str, variables: Mapping[str, str]) -> list[str]:
    command = [uv, "python", "list", "--only-installed", "--output-format", "json"]
    result = await run_tool(command, cwd=Path("/"), variables=variables, on_line=_nothing)
    try:
        rows = json.loads(result.tail)
        found = {match[1] for row in rows if (match := _MINOR.match(str(row.get("version", ""))))}
    except (ValueError, AttributeError):
        return []
    return sorted(found, key=lambda text: tuple(int(part) for part in text.split(".")))


def _nothing(_line: str) -> None:
    return None
