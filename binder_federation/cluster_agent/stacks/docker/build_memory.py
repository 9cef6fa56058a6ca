"""A limit for the memory of one build: a cgroup above the containers of its steps.

buildx itself has no such limit, but takes the name of a parent cgroup (`--cgroup-parent`).
So the agent makes one for each build, where it can: as root beside an engine that manages
cgroups itself, and whose BuildKit heeds the option. A step that needs more is killed, and
the build ends with that.
https://docs.docker.com/reference/cli/docker/buildx/build/#cgroup-parent
"""

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from binder_federation.cluster_agent.stacks.docker.engine import EngineInfo

CGROUPS = Path("/sys/fs/cgroup")
_PARENT = "binderfed"
_FIRST_VERSION = 23
_REMOVAL_SECONDS = 5.0


def why_unlimited(info: EngineInfo, *, is_here: bool, is_root: bool) -> str:
    """Why builds cannot be limited; empty when they can."""
    major = re.match(r"[0-9]+", info.version)
    if not is_here:
        return "the engine is on another machine."
    if not is_root:
        return "the agent does not run as root."
    if major is None or int(major[0]) < _FIRST_VERSION:
        return f"Docker {_FIRST_VERSION} or newer is needed, and this is {info.version}."
    if info.cgroup_driver != "cgroupfs":
        return f"the engine leaves cgroups to {info.cgroup_driver}; `cgroupfs` is needed."
    return ""


class BuildMemory:
    """Limits each build to `limit_bytes`. `folder` is where cgroups are mounted."""

    def __init__(self, *, limit_bytes: int, version: str, folder: Path = CGROUPS) -> None:
        """`version`: `1` or `2`, as the engine says."""
        self._limit_bytes = limit_bytes
        self._is_second = version == "2"
        self._folder = folder

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[str]:
        """The name of a cgroup that is there until this is left; `OSError` when it cannot be."""
        cgroup = f"{_PARENT}/{name}"
        await asyncio.to_thread(self._make, cgroup)
        try:
            yield f"/{cgroup}"
        finally:
            await self._remove(cgroup)

    def _make(self, cgroup: str) -> None:
        base = self._folder if self._is_second else self._folder / "memory"
        made = base / cgroup
        made.mkdir(parents=True, exist_ok=True)
        if not self._is_second:
            (made / "memory.limit_in_bytes").write_text(str(self._limit_bytes))
            return
        for above in (base, made.parent):
            (above / "cgroup.subtree_control").write_text("+memory")
        (made / "memory.max").write_text(str(self._limit_bytes))

    async def _remove(self, cgroup: str) -> None:
        """The engine may take a moment to end the last step; what stays is empty and harmless."""
        bases = [self._folder] if self._is_second else sorted(self._folder.iterdir())
        left = [base / cgroup for base in bases]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_REMOVAL_SECONDS):
                while left := [path for path in left if not _is_removed(path)]:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)


def _is_removed(path: Path) -> bool:
    try:
        path.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def runs_as_root() -> bool:
    """Whether this process may make cgroups."""
    return os.geteuid() == 0
