"""How settings are read: environment over YAML file over defaults.

A mistake in them becomes one `ConfigurationError` that names the setting.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsError

from binder_federation.runtime.errors import ServiceError

SettingsT = TypeVar("SettingsT", bound=BaseSettings)


class ConfigurationError(ServiceError):
    """The settings cannot be used; the message names which and why."""

    code = "configuration_error"


def load_settings(kind: type[SettingsT], path: Path | None = None, **overrides: Any) -> SettingsT:
    """Settings of `kind`: `overrides`, over the environment, over the YAML file at `path`."""
    from_file = read_yaml(path) if path else {}
    try:
        from_environment: dict[str, Any] = EnvSettingsSource(kind)()
        return kind(**merged(from_file, from_environment, overrides))
    except SettingsError as error:
        raise ConfigurationError(
            f"A variable of the environment cannot be used: {error}."
        ) from error
    except ValidationError as error:
        raise ConfigurationError(_sentence(error, path)) from error


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """The layers put together, the later one first; mappings are merged, all else replaced."""
    result: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            below = result.get(name)
            if isinstance(below, Mapping) and isinstance(value, Mapping):
                result[name] = merged(below, value)
            else:
                result[name] = value
    return result


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file (an empty file is an empty mapping)."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not valid YAML: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} must hold a mapping of settings.")
    return content


def _sentence(error: ValidationError, path: Path | None) -> str:
    where = f"In {path}: " if path else "In the settings: "
    parts = []
    for problem in error.errors(include_url=False, include_input=False):
        name = ".".join(str(part) for part in problem["loc"]) or "settings"
        parts.append(f"{name}: {problem['msg'].removeprefix('Value error, ')}")
    return where + "; ".join(parts)
