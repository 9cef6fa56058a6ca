"""`binderfed ban` and `binderfed unban`: networks and repositories that get nothing."""

import argparse
from typing import Any
from urllib.parse import quote

from binder_federation.federation.cli.admin_client import (
    add_admin_options,
    add_end,
    add_reason,
    ask,
    end_of,
)
from binder_federation.federation.cli.durations import shown_until

EXAMPLES = """\
examples:
  binderfed ban spec '^gh/owner/.*' --reason 'mines coins' --for 7d
  binderfed ban network 192.0.2.0/24 --label 'Example University' --reason 'floods us'

A pattern is a regular expression that matches the whole of <provider>/<repository>, or of
<provider>/<repository>/<ref>. It is in force at all replicas within 2 s, at members within 10 s.
"""


def add_command(commands: Any) -> None:
    """Add the subcommands."""
    parser = commands.add_parser(
        "ban",
        help="refuse a network's or a repository's launches",
        description="Refuses launches of a network or of repositories, everywhere.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(title="what", metavar="spec|network", required=True)
    spec = kinds.add_parser("spec", help="repositories")
    spec.add_argument("pattern", help="such as '^gh/owner/.*'")
    spec.add_argument("--message", default="", help="what visitors are told")
    spec.set_defaults(body=lambda it: {"pattern": it.pattern, "message": it.message})
    network = kinds.add_parser("network", help="visitors' addresses")
    network.add_argument("network", help="such as 192.0.2.0/24 or 2001:db8::/32")
    network.add_argument("--label", default="", help="“Requests from LABEL are not allowed.”")
    network.set_defaults(body=lambda it: {"network": it.network, "label": it.label})
    for kind in (spec, network):
        add_reason(kind, required=True)
        add_end(kind)
        kind.add_argument("--everything", action="store_true", help="it is meant for so many")
        add_admin_options(kind)
        kind.set_defaults(run=_ban)
    _add_unban(commands)


def _ban(arguments: argparse.Namespace) -> int:
    body = {
        **arguments.body(arguments),
        "reason": arguments.reason,
        "everything": arguments.everything,
        **end_of(arguments),
    }
    ban = ask(arguments, "POST", "bans", body)["ban"]
    print(f"Banned: {_target(ban)} {shown_until(ban['until'])}. Its id is {ban['id']}.")
    print(f"Take it back with: binderfed unban {ban['id']}")
    return 0


def _add_unban(commands: Any) -> None:
    parser = commands.add_parser(
        "unban",
        help="end a ban",
        description="Ends a ban that was given live (binderfed steering shows them).",
        epilog="example:\n  binderfed unban 3f9c01ab --reason 'it was somebody else'",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("ban", help="its id, or the network or pattern itself")
    add_reason(parser)
    add_admin_options(parser)
    parser.set_defaults(run=_unban)


def _unban(arguments: argparse.Namespace) -> int:
    bans = ask(arguments, "GET", "bans")["bans"]
    ids = [ban["id"] for ban in bans if arguments.ban in (ban["id"], _target(ban))]
    ban_id = ids[0] if ids else arguments.ban
    ask(arguments, "DELETE", f"bans/{quote(ban_id, safe='')}", {"reason": arguments.reason})
    print(f"The ban {ban_id} has ended.")
    return 0


def _target(ban: dict[str, Any]) -> str:
    return str(ban.get("network") or ban.get("pattern"))
