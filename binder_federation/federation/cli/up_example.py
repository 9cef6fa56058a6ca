"""The example repository: the project's folder as a git repository of its own.

Author and dates are fixed, so the same files always make the same commit, and an
image that was built from it yesterday is found again.
"""

import asyncio
import os
import shutil
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from binder_federation.config.load import ConfigurationError

NAME = "hello-binder"
DATE = "2026-01-01T00:00:00Z"
GIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Example:
    """The example's launch path, and the prefix under which its address is allowed."""

    path: str
    trusted_prefix: str


async def ensure_example(folder: Path) -> Example:
    """Make the example's repository below `folder`, anew if it is there."""
    repository = folder / NAME
    shutil.rmtree(repository, ignore_errors=True)
    shutil.copytree(_source(), repository, ignore=shutil.ignore_patterns("__pycache__", ".ipynb*"))
    await _git(repository, "init", "--quiet", "--initial-branch=main")
    await _git(repository, "add", "--all")
    await _git(repository, "commit", "--quiet", "--message=Say hello")
    url = repository.as_uri()
    return Example(
        path=f"v2/git/{quote(url, safe='')}/HEAD?labpath=index.ipynb",
        trusted_prefix=f"{folder.as_uri()}/",
    )


def _source() -> Path:
    package = Path(str(resources.files("binder_federation")))
    for candidate in (package / "examples" / NAME, package.parent / "examples" / NAME):
        if candidate.is_dir():
            return candidate
    raise ConfigurationError("The example repository is missing from this installation.")


async def _git(folder: Path, *arguments: str) -> None:
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Binder Federation",
        "GIT_AUTHOR_EMAIL": "binder@localhost",
        "GIT_AUTHOR_DATE": DATE,
        "GIT_COMMITTER_NAME": "Binder Federation",
        "GIT_COMMITTER_EMAIL": "binder@localhost",
        "GIT_COMMITTER_DATE": DATE,
    }
    try:
        process = await asyncio.create_subprocess_exec(
            "git",
            *arguments,
            cwd=folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError as error:
        raise ConfigurationError(
            "git is not installed.", advice="On Debian: apt-get install git"
        ) from error
    async with asyncio.timeout(GIT_SECONDS):
        _, errors = await process.communicate()
    if process.returncode != 0:
        raise ConfigurationError(
            f"git {arguments[0]} failed for the example: {errors.decode(errors='replace').strip()}"
        )
