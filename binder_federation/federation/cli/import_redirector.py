"""`binderfed import-redirector`: mybinder.org's redirector configuration as settings of ours."""

import argparse
import json
import sys
import textwrap
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from binder_federation.config.federation import FederationSettings
from binder_federation.config.load import ConfigurationError
from binder_federation.federation.redirector.file import Imported, import_redirector

COMMENT_WIDTH = 98


def add_command(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "import-redirector",
        help="settings from mybinder.org's redirector configuration",
        description="Reads the redirector's config.json and writes settings for binderfed serve: "
        "every host becomes a member of kind binderhub. What has no counterpart is said in "
        "comments.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the redirector's config.json")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="where to write (default: standard output)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the settings."""
    try:
        text = make_text(import_redirector(_read(arguments.file)), arguments.file.name)
    except ConfigurationError as error:
        raise ConfigurationError(f"{arguments.file}: {error.message}") from error
    if arguments.output is None:
        sys.stdout.write(text)
        return 0
    try:
        arguments.output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{arguments.output} cannot be written: {error.strerror}."
        ) from error
    return 0


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"is not JSON: {error}.") from error


def make_text(imported: Imported, name: str) -> str:
    """The settings as YAML with comments, tried by loading them."""
    try:
        FederationSettings(**imported.settings)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{where}: {first['msg']}.") from error
    head = [f"# Settings for `binderfed serve`, from {name}."]
    for note in imported.notes:
        note = "".join(sign if sign.isprintable() else " " for sign in note)
        head += textwrap.wrap(note, COMMENT_WIDTH, initial_indent="# - ", subsequent_indent="#   ")
    return "\n".join(head) + "\n" + yaml.safe_dump(imported.settings, sort_keys=False)
