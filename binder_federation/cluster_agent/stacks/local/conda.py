"""Reads `environment.yml` as far as pip can satisfy it.

Conda's match specifications become PEP 440 requirements (`numpy=1.26` means any
1.26.x: `numpy==1.26.*`). Packages that pip calls otherwise are renamed; what comes
with every Python is left out; what only conda has is refused by name.
https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from binder_federation.binder.errors import BuildFailed
from binder_federation.cluster_agent.stacks.local.conda_packages import (
    is_conda_only,
    is_part_of_python,
    pip_name,
)
from binder_federation.cluster_agent.stacks.local.unsupported import unsupported

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_OPERATOR = re.compile(r"(==|>=|<=|!=|~=|=|>|<)\s*")
_BRACKETS = re.compile(r"\[\s*(?:version\s*=\s*['\"]?([^'\"\]]*)['\"]?)?[^\]]*\]\s*$")
_PYTHON_VERSION = re.compile(r"(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class CondaEnvironment:
    """What pip can make of an `environment.yml`."""

    python: str | None
    """`3.11`, when it asks for one."""
    requirements: tuple[str, ...]
    pip_lines: tuple[str, ...]
    """The `pip:` list, as written."""


def read_conda_environment(text: str, file: str) -> CondaEnvironment:
    """The environment in `text`, from `file`.

    Raises `UnsupportedRepository` for a package that only conda has, `BuildFailed` when
    the file is not an environment.
    """
    python: str | None = None
    requirements: list[str] = []
    pip_lines: list[str] = []
    for entry in _dependencies(text, file):
        match entry:
            case str():
                name, version = _split(entry, file)
                if name == "python":
                    python = _python_version(version) or python
                elif (line := _requirement(name, version, file)) is not None:
                    requirements.append(line)
            case {"pip": list() as lines}:
                pip_lines += [str(line) for line in lines]
            case {"pip": None} | None:
                pass
            case _:
                raise BuildFailed(f"{file} has a dependency that cannot be read: {entry!r:.100}.")
    return CondaEnvironment(python, tuple(requirements), tuple(pip_lines))


def _dependencies(text: str, file: str) -> list[Any]:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BuildFailed(f"{file} is not valid YAML.") from error
    if content is None:
        return []
    if not isinstance(content, Mapping):
        raise BuildFailed(f"{file} must hold a mapping, with a list of `dependencies`.")
    entries = content.get("dependencies") or []
    if not isinstance(entries, list):
        raise BuildFailed(f"The `dependencies` of {file} must be a list.")
    return entries


def _split(entry: str, file: str) -> tuple[str, str]:
    """Package name and version of a match specification, without channel and build."""
    text = entry.partition("#")[0].strip().rpartition("::")[2]
    version = ""
    if brackets := _BRACKETS.search(text):
        version = brackets[1] or ""
        text = text[: brackets.start()]
    found = _NAME.match(text)
    if found is None:
        raise BuildFailed(f"{file} has a dependency that cannot be read: {entry!r:.100}.")
    return canonicalize_name(found[0]), version or text[found.end() :].strip()


def _requirement(name: str, version: str, file: str) -> str | None:
    if is_part_of_python(name):
        return None
    if is_conda_only(name):
        raise unsupported(file, f"the package {name}, which only conda has")
    specifier = _pep440(version)
    try:
        SpecifierSet(specifier)
    except InvalidSpecifier as error:
        raise unsupported(file, f"{name} in a version that pip cannot read ({version:.60})") from (
            error
        )
    return f"{pip_name(name)}{specifier}"


def _pep440(version: str) -> str:
    """`=1.2=build` → `==1.2.*`, `>=1,<2` as it is, ` 1.2.*` → `==1.2.*`, `*` → nothing."""
    parts = [_pep440_part(part.strip()) for part in version.split(",")]
    return ",".join(part for part in parts if part)


def _pep440_part(part: str) -> str:
    operator = _OPERATOR.match(part)
    # What follows the version after `=` or a space is conda's build string.
    number = re.split(r"[=\s]", part[operator.end() :] if operator else part, maxsplit=1)[0]
    if number in ("", "*"):
        return ""
    sign = operator[1] if operator else "=="
    if sign != "=":
        # A bare `1.2`, behind a space, is exact like `==1.2`.
        return f"{sign}{number.removesuffix('.*')}" if sign[0] in "<>" else f"{sign}{number}"
    return f"=={number}" if number.endswith("*") else f"=={number}.*"


def _python_version(version: str) -> str | None:
    """The minor version of Python that `version` asks for; None when any will do."""
    operator = _OPERATOR.match(version)
    if operator and operator[1] in (">", "<", "<=", "!="):
        return None
    found = _PYTHON_VERSION.match(version[operator.end() :] if operator else version)
    if found is None or found[2] is None:
        return None
    return f"{found[1]}.{found[2]}"
