"""`binderfed invite` and `binderfed invitations`: institutions that may join."""

import argparse
import json
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from binder_federation.federation.cli.admin_client import add_admin_options, add_reason, ask
from binder_federation.federation.cli.durations import duration, shown_time


def add_command(commands: Any) -> None:
    """Add the subcommands."""
    invite = commands.add_parser(
        "invite",
        help="let an institution join",
        description="Makes an invitation. Its token is shown once, and works once.",
        epilog="example:\n  binderfed invite --name uni-x --weight 10 --expires 7d",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    invite.add_argument("--name", required=True, help="the member's name")
    invite.add_argument("--weight", type=float, default=1.0, help="its share (default: 1)")
    invite.add_argument(
        "--expires", metavar="DURATION", type=duration, default=7 * 86_400.0, help="default: 7d"
    )
    add_reason(invite)
    add_admin_options(invite)
    invite.add_argument("--json", action="store_true", help="the whole answer as JSON")
    invite.set_defaults(run=_invite)
    listing = commands.add_parser(
        "invitations",
        help="invitations and how they stand",
        description="Shows the invitations of the last 30 days, or takes one back.",
        epilog="example:\n  binderfed invitations --revoke uni-x-3f9c01ab",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    listing.add_argument("--revoke", metavar="ID", help="nobody can use this one any more")
    add_reason(listing)
    add_admin_options(listing)
    listing.add_argument("--json", action="store_true", help="the whole answer as JSON")
    listing.set_defaults(run=_invitations)


def _invite(arguments: argparse.Namespace) -> int:
    body = {
        "name": arguments.name,
        "weight": arguments.weight,
        "expires_seconds": arguments.expires,
        "reason": arguments.reason,
    }
    told = ask(arguments, "POST", "invitations", body)
    if arguments.json:
        print(json.dumps(told, indent=2))
        return 0
    print_invitation(arguments, told)
    return 0


def print_invitation(arguments: argparse.Namespace, told: dict[str, Any]) -> None:
    """What the institution needs, once."""
    invitation = told["invitation"]
    base, until = arguments.federation.rstrip("/"), shown_time(invitation["expires_at"])
    print(f"{invitation['name']} may join once, until {until}. At the institution:")
    print(f"  binderfed-agent join {base} {told['token']}")
    print("Nobody is shown this token again: send it by a way that only they read.")


def _invitations(arguments: argparse.Namespace) -> int:
    if arguments.revoke:
        path = f"invitations/{quote(arguments.revoke, safe='')}"
        ask(arguments, "DELETE", path, {"reason": arguments.reason})
        print(f"Nobody can use the invitation {arguments.revoke} any more.")
        return 0
    told = ask(arguments, "GET", "invitations")["invitations"]
    if arguments.json:
        print(json.dumps(told, indent=2))
        return 0
    table = Table(box=None, header_style="bold")
    for heading in ("Id", "Member", "Weight", "State", "Expires", "By"):
        table.add_column(heading, overflow="fold")
    for each in told:
        expires = shown_time(each["expires_at"])
        cells = (
            each["id"],
            each["name"],
            f"{each['weight']:g}",
            each["state"],
            expires,
            each["by"],
        )
        table.add_row(*(escape(cell) for cell in cells))
    Console().print(table)
    return 0
