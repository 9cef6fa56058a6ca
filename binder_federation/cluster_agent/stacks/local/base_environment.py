"""The environment that every image begins with: JupyterLab, the classic notebook, a kernel.

It is made once per agent, with everything compiled. An image's own is a copy of it
made of hard links, which takes a quarter of a second; uv replaces files and never
writes into one, so the base stays as it is.
"""

import asyncio
import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path

import structlog
from packaging.utils import canonicalize_name

from binder_federation.cluster_agent.stacks.base import StackNotReady
from binder_federation.cluster_agent.stacks.host.files import remove_tree
from binder_federation.cluster_agent.stacks.host.tool_runs import run_tool
from binder_federation.cluster_agent.stacks.local.pythons import BASE_PYTHON

log = structlog.get_logger(__name__)

MAKE_SECONDS = 600.0

# Name → floor. pip is there so that `%pip install` works in a notebook.
BASE_REQUIREMENTS = {
    "jupyterlab": ">=4.2",
    "notebook": ">=7.2",
    "ipykernel": ">=6.29",
    "pip": ">=24",
}

# JupyterLab's event schemas draw this in to check international URLs, which nothing here
# does; it builds a grammar at each start, which is half of the server's starting time.
_LEFT_OUT = ("rfc3987-syntax",)


def base_requirements(
    *, named: frozenset[str] = frozenset(), with_floors: bool = True
) -> list[str]:
    """What every environment has. What a repository names itself (`named`) has no floor here."""
    return [
        name if name in named or not with_floors else f"{name}{floor}"
        for name, floor in BASE_REQUIREMENTS.items()
    ]


def left_out(*, named: frozenset[str] = frozenset()) -> list[str]:
    """uv's overrides for packages that are not installed unless a repository names them."""
    return [
        f"{name}; sys_platform == 'never'"
        for name in _LEFT_OUT
        if canonicalize_name(name) not in named
    ]


class BaseEnvironment:
    """The base environment in the agent's state folder."""

    def __init__(self, *, folder: Path, uv: str, variables: Mapping[str, str]) -> None:
        self._folder = folder
        self._uv = uv
        self._variables = variables

    @property
    def path(self) -> Path:
        """The virtual environment."""
        return self._home / "env"

    @property
    def is_there(self) -> bool:
        """Whether it is made, whole."""
        return self._mark.is_file()

    @property
    def _home(self) -> Path:
        text = "\n".join([sys.version, *base_requirements(), *left_out()])
        return self._folder / hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    @property
    def _mark(self) -> Path:
        """Written last."""
        return self._home / "whole"

    async def ensure(self) -> None:
        """Make it unless it is there; raises `StackNotReady`."""
        await asyncio.to_thread(self._remove_others)
        if self.is_there:
            return
        log.info("base_environment_begins", python=BASE_PYTHON)
        try:
            async with asyncio.timeout(MAKE_SECONDS):
                await self._make()
        except TimeoutError as error:
            raise StackNotReady(
                f"The base environment was not made within {MAKE_SECONDS:.0f} seconds.",
                advice="Is the package index slow? What was fetched is kept; start again.",
            ) from error
        log.info("base_environment_made", python=BASE_PYTHON)

    async def _make(self) -> None:
        overrides = self._home / "overrides.txt"
        self._home.mkdir(parents=True)
        overrides.write_text("\n".join(left_out()) + "\n", encoding="utf-8")
        await self._run(make_command(self._uv, self.path, python=sys.executable))
        install = install_command(self._uv, self.path, overrides=overrides)
        await self._run([*install, *base_requirements()])
        self._mark.touch()

    async def _run(self, command: list[str]) -> None:
        result = await run_tool(
            command, cwd=self._home, variables=self._variables, on_line=_log_line
        )
        if not result.is_ok:
            log.warning("base_environment_failed", output=result.tail[-4000:])
            raise StackNotReady(
                "The base environment (JupyterLab) could not be installed.",
                advice="The log has uv's output. Is the package index reachable?",
            )

    def _remove_others(self) -> None:
        """Remove those of older agents, and one that was not finished."""
        if not self._folder.is_dir():
            return
        for path in self._folder.iterdir():
            if path != self._home or not self.is_there:
                remove_tree(path)


def make_command(uv: str, target: Path, *, python: str, may_download: bool = False) -> list[str]:
    """The command that makes an empty environment."""
    downloads = [] if may_download else ["--no-python-downloads"]
    options = ["--relocatable", "--no-project", "--quiet"]
    return [uv, "venv", *options, *downloads, "--python", python, str(target)]


def install_command(uv: str, target: Path, *, overrides: Path, may_link: bool = True) -> list[str]:
    """The command that installs into an environment, without what is installed.

    Without `may_link`, no file is shared with uv's cache.
    """
    return [
        *(uv, "pip", "install", "--python", str(target / "bin/python")),
        *("--compile-bytecode", "--no-progress", "--color", "never"),
        *("--override", str(overrides)),
        *(() if may_link else ("--link-mode", "copy")),
    ]


async def copy_environment(
    source: Path, target: Path, *, may_link: bool, variables: Mapping[str, str]
) -> bool:
    """Copy an environment, as hard links where that may be; whether it succeeded."""
    for how in ("--link", "--reflink=auto") if may_link else ("--reflink=auto",):
        command = ["cp", "--archive", how, str(source), str(target)]
        result = await run_tool(command, cwd=target.parent, variables=variables, on_line=_log_line)
        if result.is_ok:
            return True
        await asyncio.to_thread(remove_tree, target)
    return False


def _log_line(line: str) -> None:
    log.debug("tool_output", line=line)
