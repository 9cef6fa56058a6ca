"""`binderfed quota`: how many sessions an event's repositories may have, and when."""

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
from binder_federation.federation.cli.durations import moment, shown_time, shown_until

EXAMPLES = """\
examples:
  binderfed quota event gh/org/course --sessions 300 --from 2026-05-04T08:00 \
--until 2026-05-04T18:00
  binderfed quota event '^gh/org/.*' --sessions 500 --scope sum --for 2d
  binderfed quota remove 3f9c01ab
"""


def add_command(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "quota",
        help="give an event's repositories a quota of their own",
        description="Sets or ends a live quota of sessions, at all members together.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(title="what", metavar="event|remove", required=True)
    event = kinds.add_parser("event", help="set one")
    event.add_argument("pattern", help="gh/owner/repository, or a regular expression of such")
    event.add_argument("--sessions", type=int, required=True, help="at most; 0: none")
    event.add_argument(
        "--scope", choices=("each", "sum"), default="each",
        help="for each repository that matches (default), or for all together",
    )  # fmt: skip
    event.add_argument(
        "--from", dest="begins", metavar="TIME", type=moment, help="default: now (UTC)"
    )
    add_end(event)
    event.set_defaults(run=_event)
    remove = kinds.add_parser("remove", help="end one")
    remove.add_argument("quota", help="its id")
    remove.set_defaults(run=_remove)
    for kind in (event, remove):
        add_reason(kind)
        add_admin_options(kind)


def _event(arguments: argparse.Namespace) -> int:
    body = {
        "pattern": arguments.pattern,
        "sessions": arguments.sessions,
        "scope": arguments.scope,
        "reason": arguments.reason,
        **({"from": arguments.begins} if arguments.begins else {}),
        **end_of(arguments),
    }
    quota = ask(arguments, "POST", "quotas", body)["quota"]
    who = "all together" if quota["scope"] == "sum" else "each"
    begins = f"from {shown_time(quota['from'])} " if quota["from"] else ""
    print(
        f"{quota['pattern']}: at most {quota['sessions']} sessions ({who}) "
        f"{begins}{shown_until(quota['until'])}."
    )
    print(f"End it with: binderfed quota remove {quota['id']}")
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    path = f"quotas/{quote(arguments.quota, safe='')}"
    ask(arguments, "DELETE", path, {"reason": arguments.reason})
    print(f"The quota {arguments.quota} has ended.")
    return 0
