"""`binderfed members`: a table of the members, or JSON."""

import argparse
import json
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from binder_federation.federation.cli.client import (
    add_federation_option,
    read_answer,
    readable_errors,
)

STATE_COLOURS = {
    "up": "green",
    "degraded": "yellow",
    "suspect": "yellow",
    "recovering": "cyan",
    "joining": "blue",
    "draining": "blue",
    "ejected": "yellow",
    "down": "red",
}


def add_command(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "members",
        help="how the members are",
        description="Shows every member with its state, its load and how many images it holds.",
    )
    add_federation_option(parser)
    parser.add_argument("--json", action="store_true", help="the whole answer as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the members; status 1 when none is up."""
    with readable_errors(arguments.federation):
        answer = httpx.get(f"{arguments.federation.rstrip('/')}/api/members", timeout=10)
        answer.raise_for_status()
        members: list[dict[str, Any]] = read_answer(answer)["members"]
    if arguments.json:
        print(json.dumps(members, indent=2))
    else:
        Console().print(_table(members))
    return 0 if any(member["state"] == "up" for member in members) else 1


def _table(members: list[dict[str, Any]]) -> Table:
    table = Table(box=None, header_style="bold")
    for heading in ("Member", "State", "Sessions", "Builds", "Images", "Weight", "Reason"):
        numeric = heading in ("Sessions", "Builds", "Images", "Weight")
        table.add_column(heading, justify="right" if numeric else "left")
    for member in members:
        colour = STATE_COLOURS.get(member["state"], "dim")
        table.add_row(
            member["name"],
            f"[{colour}]{member['state']}[/]",
            *_load(member["load"]),
            str(member["images"]),
            f"{member['effective_weight']:g}",
            member["incompatibility"] or member["reason"],
        )
    return table


def _load(load: dict[str, int] | None) -> tuple[str, str]:
    if load is None:
        return "?", "?"
    sessions = f"{load['running'] + load['pending']}/{load['capacity']}"
    slots = f"/{load['build_slots']}" if load["build_slots"] else ""  # a BinderHub tells none
    return sessions, f"{load['building']}{slots}"
