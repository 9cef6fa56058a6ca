"""`binderfed explain SPEC`: where a launch would go now, and why, as a table or JSON."""

import argparse
import json
import os
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from binder_federation.federation.cli.admin_client import own_token
from binder_federation.federation.cli.client import (
    FederationUnreachable,
    add_federation_option,
    read_answer,
    readable_errors,
)
from binder_federation.federation.cli.launch import launch_path
from binder_federation.federation.cli.members import STATE_COLOURS

EXAMPLES = """\
examples:
  binderfed explain gh/binder-examples/requirements/HEAD
  binderfed explain https://example.org/v2/gh/owner/repository/HEAD --federation https://example.org
"""

TERMS = ("spawn", "build", "push", "pull", "queue", "load", "failure", "stickiness")


def add_command(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "explain",
        help="where a launch would go now, and why",
        description=(
            "Shows what a launch would cost at each member, in seconds, and what decides. "
            "Nothing is launched."
        ),
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("spec", help="provider/spec, or a launch link, or a git URL")
    add_federation_option(parser)
    parser.add_argument(
        "--token",
        default=os.environ.get("BINDERFED_ADMIN_TOKEN"),
        help="the federation's admin.token (default: the variable BINDERFED_ADMIN_TOKEN)",
    )
    parser.add_argument("--json", action="store_true", help="the whole answer as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the explanation; status 1 when nobody would take the launch."""
    base = arguments.federation.rstrip("/")
    with readable_errors(base):
        explanation = _fetch(
            f"{base}/api/admin/explain/{launch_path(arguments.spec)}",
            token=arguments.token or own_token(base),
        )
    if arguments.json:
        print(json.dumps(explanation, indent=2))
    else:
        _print(explanation)
    return 0 if explanation["chosen"] else 1


def _fetch(url: str, *, token: str | None) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = httpx.get(url, headers=headers, timeout=30)
    body: dict[str, Any] = read_answer(answer)
    if answer.status_code >= 400:
        message = body.get("message", f"{url} answered with status {answer.status_code}.")
        raise FederationUnreachable(str(message), advice=str(body.get("advice", "")))
    return body


def _print(explanation: dict[str, Any]) -> None:
    console = Console()
    members = explanation["members"]
    console.print(
        f"{explanation['repository']} at {explanation['resolved_ref'][:12]}, "
        f"image {explanation['image_key'][:12]}",
        highlight=False,
    )
    console.print(_table(members))
    for member in members:
        if member["why_not"]:
            console.print(f"  {member['why_not']}", highlight=False, style="dim")
    if explanation["is_panic"]:
        console.print("Too few members are well, so health is disregarded.", style="yellow")
    console.print(f"[bold]{explanation['phrase']}[/]: {explanation['because']}", highlight=False)


def _table(members: list[dict[str, Any]]) -> Table:
    """A row for each member; terms that are nought everywhere are left out."""
    terms = [name for name in TERMS if any(member["seconds"][name] for member in members)]
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("Member", "State", "Tier"):
        table.add_column(heading, no_wrap=heading == "Member")
    for heading in (*(name.capitalize() for name in terms), "Total", "Rank"):
        table.add_column(heading, justify="right")
    for member in members:
        seconds = [_seconds(member["seconds"][name]) for name in (*terms, "total")]
        state = member["refusal"] or member["state"]
        colour = STATE_COLOURS.get(state, "dim")
        table.add_row(
            f"{member['name']} ◀" if member["is_chosen"] else member["name"],
            f"[{colour}]{state}[/]",
            member["tier"],
            *seconds,
            str(member["rendezvous_rank"]),
            style=None if member["is_considered"] else "dim",
        )
    return table


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f}" if seconds else "–"
