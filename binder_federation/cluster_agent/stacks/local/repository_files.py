"""Reads the files that describe an environment from a checkout that nobody vouches for.

A link in a repository may point anywhere on this machine; no file is read through
one that leaves the checkout, also not by `-r other.txt` in a requirements file.
"""

import re
from pathlib import Path

from binder_federation.binder.errors import BuildFailed
from binder_federation.cluster_agent.stacks.local.buildpack import (
    CONFIGURATION_FOLDERS,
    READ_FILES,
    EnvironmentPlan,
    RepositoryFiles,
)

_MAX_BYTES = 1_000_000
_INCLUDE = re.compile(
    r"\s*(?:-r|-c|--requirements?|--constraints?)(?:\s*=\s*|\s+|(?<=-[rc]))(?P<file>\S+)"
)


def read_repository_files(content: Path) -> RepositoryFiles:
    """The files that count in the checkout `content`.

    Raises `BuildFailed` when there are two configuration folders, or a file that
    leaves the checkout.
    """
    folders = [name for name in CONFIGURATION_FOLDERS if (content / name).is_dir()]
    if len(folders) > 1:
        raise BuildFailed(
            "The repository has both a `binder` and a `.binder` folder.",
            advice="Keep one of them; it is not clear which describes the environment.",
        )
    folder = folders[0] if folders else ""
    _refuse_escape(content, Path(folder))
    names = [name for name in sorted(READ_FILES) if _exists(content / folder / name)]
    return RepositoryFiles(
        folder=folder, texts={name: _read(content, Path(folder) / name) for name in names}
    )


def check_includes(content: Path, plan: EnvironmentPlan) -> None:
    """Raise `BuildFailed` when the requirements include a file outside the checkout."""
    to_check = [(Path(plan.requirements_file).parent, line) for line in plan.requirements]
    seen: set[Path] = set()
    while to_check:
        folder, line = to_check.pop()
        match = _INCLUDE.match(line)
        if match is None or "://" in match["file"]:
            continue
        included = folder / match["file"]
        if included in seen:
            continue
        seen.add(included)
        if not _exists(content / included):
            raise BuildFailed(f"{plan.requirements_file} includes {included}, which is not there.")
        text = _read(content, included)
        to_check += [(included.parent, line) for line in text.splitlines()]


def write_translated(plan: EnvironmentPlan, content: Path, target: Path) -> None:
    """Write the plan's lines as a requirements file at `target`, elsewhere than the file they
    were made from: what they include is made absolute."""
    folder = content / Path(plan.requirements_file).parent
    lines = (
        _INCLUDE.sub(lambda match: _absolute(match, folder), line) for line in plan.requirements
    )
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _absolute(match: re.Match[str], folder: Path) -> str:
    name = match["file"]
    return match[0] if "://" in name else f"{match[0].removesuffix(name)} {folder / name}"


def _exists(path: Path) -> bool:
    return path.is_symlink() or path.is_file()


def _read(content: Path, relative: Path) -> str:
    path = content / relative
    _refuse_escape(content, relative)
    if not path.is_file():
        raise BuildFailed(f"{relative} is not a file.")
    with path.open("rb") as file:
        data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise BuildFailed(f"{relative} is larger than {_MAX_BYTES:,} bytes.")
    return data.decode("utf-8-sig", "replace")


def _refuse_escape(content: Path, relative: Path) -> None:
    if not (content / relative).resolve().is_relative_to(content.resolve()):
        raise BuildFailed(f"{relative} leads out of the repository.")
