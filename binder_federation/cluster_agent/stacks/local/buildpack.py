"""What a repository's files say about its environment, as repo2docker reads them.

Pure: `repository_files.py` reads the files, this decides what is to be done, and
`builder.py` does it. https://repo2docker.readthedocs.io/en/latest/config_files.html
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from binder_federation.binder.errors import BuildFailed
from binder_federation.cluster_agent.stacks.local.conda import read_conda_environment
from binder_federation.cluster_agent.stacks.local.unsupported import unsupported

CONFIGURATION_FOLDERS = ("binder", ".binder")
CONDA_FILES = ("environment.yml", "environment.yaml")

# In repo2docker's order; the first that is there decides.
_OTHER_KINDS = {
    "Dockerfile": "an image of its own",
    "JuliaProject.toml": "Julia",
    "Project.toml": "Julia",
    "REQUIRE": "Julia",
    "default.nix": "Nix",
    "conda-lock.yml": "a conda lock file",
    "install.R": "R",
    "DESCRIPTION": "R",
    "apt.txt": "packages of the operating system",
}
_LATE_KINDS = {"Pipfile": "pipenv", "Pipfile.lock": "pipenv"}

READ_FILES = frozenset(
    {*_OTHER_KINDS, *_LATE_KINDS, *CONDA_FILES, "requirements.txt", "runtime.txt"}
    | {"postBuild", "start", "setup.py", "pyproject.toml"}
)
"""Names that matter in the configuration folder."""

_RUNTIME_PYTHON = re.compile(r"python-(\d+\.\d+)(?:\.\d+)?")
_REQUIREMENT_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


@dataclass(frozen=True, slots=True)
class RepositoryFiles:
    """The files that matter, from the one folder that counts."""

    folder: str
    """`binder`, `.binder`, or empty for the repository's root."""
    texts: Mapping[str, str]
    """Name → content."""

    def path(self, name: str) -> str:
        """Where `name` is, from the root."""
        return f"{self.folder}/{name}" if self.folder else name

    def path_if_there(self, name: str) -> str:
        """The same, or nothing when there is no such file."""
        return self.path(name) if name in self.texts else ""


@dataclass(frozen=True, slots=True)
class EnvironmentPlan:
    """How the environment is made. Paths are relative to the repository's root."""

    python: str | None = None
    """`3.11`; None takes the member's own."""
    python_file: str = ""
    """The file that asks for this Python."""
    requirements: tuple[str, ...] = ()
    """Lines in the grammar of a requirements file."""
    requirements_file: str = ""
    """The file that they come from; what they include is relative to its folder."""
    is_translated: bool = False
    """The lines are made from an `environment.yml`: no file holds them as they are."""
    installs_project: bool = False
    post_build: str = ""
    start: str = ""

    @property
    def named_packages(self) -> frozenset[str]:
        """The packages that the repository itself asks for (normalized names)."""
        found = (_REQUIREMENT_NAME.match(line) for line in self.requirements)
        return frozenset(canonicalize_name(match[1]) for match in found if match)

    @property
    def needs_install(self) -> bool:
        """Whether there is anything beyond the base environment."""
        return bool(self.requirements) or self.installs_project


def plan_environment(files: RepositoryFiles) -> EnvironmentPlan:
    """The plan for a repository. Raises `UnsupportedRepository` or `BuildFailed`."""
    _refuse_other_kinds(files, _OTHER_KINDS)
    python, python_file = _runtime(files)
    post_build, start = (files.path_if_there(name) for name in ("postBuild", "start"))
    for name in CONDA_FILES:
        if name in files.texts:
            file = files.path(name)
            conda = read_conda_environment(files.texts[name], file)
            return EnvironmentPlan(
                python=conda.python or python,
                python_file=file if conda.python else python_file,
                requirements=conda.requirements + conda.pip_lines,
                requirements_file=file,
                is_translated=True,
                post_build=post_build,
                start=start,
            )
    _refuse_other_kinds(files, _LATE_KINDS)
    return EnvironmentPlan(
        python=python,
        python_file=python_file,
        requirements=tuple(files.texts.get("requirements.txt", "").splitlines()),
        requirements_file=files.path("requirements.txt"),
        installs_project=_installs_project(files),
        post_build=post_build,
        start=start,
    )


def _refuse_other_kinds(files: RepositoryFiles, kinds: Mapping[str, str]) -> None:
    for name, what in kinds.items():
        if name not in files.texts:
            continue
        if name == "DESCRIPTION" and files.folder:
            continue  # an R package is a repository's root
        if name == "apt.txt" and not _lines(files.texts[name]):
            continue
        raise unsupported(files.path(name), what)


def _runtime(files: RepositoryFiles) -> tuple[str | None, str]:
    text = files.texts.get("runtime.txt", "").strip()
    file = files.path("runtime.txt")
    if not text:
        return None, ""
    if text.startswith("r-"):
        raise unsupported(file, "R")
    if text == "python":
        return None, ""
    match = _RUNTIME_PYTHON.fullmatch(text)
    if match is None:
        raise BuildFailed(
            f"{file} must name a runtime such as python-3.11; it says {text[:40]!r}.",
        )
    return match[1], file


def _installs_project(files: RepositoryFiles) -> bool:
    """Like repo2docker: a package in the root, when no configuration folder says otherwise."""
    if files.folder:
        return False
    if "setup.py" in files.texts:
        return True
    if "requirements.txt" in files.texts or "pyproject.toml" not in files.texts:
        return False
    try:
        content = tomllib.loads(files.texts["pyproject.toml"])
    except tomllib.TOMLDecodeError as error:
        raise BuildFailed("pyproject.toml is not valid TOML.") from error
    return "project" in content or "build-system" in content  # else: settings of some tool


def _lines(text: str) -> list[str]:
    stripped = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in stripped if line]
