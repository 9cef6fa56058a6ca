"""`binderfed steering` and `binderfed audit`: what is in force, and who did what."""

import argparse
import json
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from binder_federation.federation.cli.admin_client import add_admin_options, ask
from binder_federation.federation.cli.durations import shown_time

BAN_HEADINGS = ("Ban", "Of", "By", "Until", "Reason")
QUOTA_HEADINGS = ("Quota", "Pattern", "Sessions", "From", "By", "Until", "Reason")


def add_command(commands: Any) -> None:
    """Add the subcommands."""
    steering = commands.add_parser(
        "steering",
        help="every live order beside the settings' values",
        description="Shows what operators changed live, beside what the settings say.",
        epilog="example:\n  binderfed steering --json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    steering.set_defaults(run=_steering)
    audit = commands.add_parser(
        "audit",
        help="who changed what, when and why",
        description="Shows the last changes and refused attempts, the latest first.",
        epilog="example:\n  binderfed audit --limit 20",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    audit.add_argument("--limit", type=int, default=50, help="so many (default: 50)")
    audit.set_defaults(run=_audit)
    for parser in (steering, audit):
        add_admin_options(parser)
        parser.add_argument("--json", action="store_true", help="the whole answer as JSON")


def _steering(arguments: argparse.Namespace) -> int:
    told = ask(arguments, "GET", "steering")
    if arguments.json:
        print(json.dumps(told, indent=2))
        return 0
    console = Console()
    _print(
        console,
        ("Member", "From", "Usual", "In force", "Order", "By", "Until", "Reason"),
        [row for member in told["members"] for row in _member_rows(member)],
    )
    if told["bans"]:
        console.print()
        _print(console, BAN_HEADINGS, [_ban_row(ban) for ban in told["bans"]])
    if told["quotas"]:
        console.print()
        _print(console, QUOTA_HEADINGS, [_quota_row(quota) for quota in told["quotas"]])
    console.print(f"\nRevision {told['revision']}.")
    return 0


def _audit(arguments: argparse.Namespace) -> int:
    entries = ask(arguments, "GET", f"audit?limit={arguments.limit}")["entries"]
    if arguments.json:
        print(json.dumps(entries, indent=2))
        return 0
    headings = ("When", "By", "Action", "Of", "Until", "Reason", "Detail")
    _print(Console(), headings, [_audit_row(entry) for entry in entries])
    return 0


def _member_rows(member: dict[str, Any]) -> list[tuple[str, ...]]:
    usual, force = member["usual"], member["in_force"]
    begin = (
        member["name"],
        member["source"],
        _standing(usual["weight"], usual["draining"]),
        "revoked" if force["revoked"] else _standing(force["weight"], force["draining"]),
    )
    orders = [
        (words, order)
        for words, order in (
            (_weight_words(member["weight"]), member["weight"]),
            (_drain_words(member["drain"]), member["drain"]),
            ("revoked", member["revoked"]),
        )
        if order
    ]
    if not orders:
        return [(*begin, "-", "", "", "")]
    rows = [(words, *_word(order)) for words, order in orders]
    return [(*begin, *rows[0]), *[("", "", "", "", *row) for row in rows[1:]]]


def _standing(weight: float, is_draining: bool) -> str:
    return f"{weight:g}, draining" if is_draining else f"{weight:g}"


def _weight_words(order: dict[str, Any] | None) -> str:
    if order is None:
        return ""
    is_ramp = "ramp" in order
    return f"{'ramp to' if is_ramp else 'weight'} {order['weight']:g}"


def _drain_words(order: dict[str, Any] | None) -> str:
    return "drain" if order and order["draining"] else "undrain"


def _ban_row(ban: dict[str, Any]) -> tuple[str, ...]:
    return (ban["id"], str(ban.get("network") or ban.get("pattern")), *_word(ban))


def _quota_row(quota: dict[str, Any]) -> tuple[str, ...]:
    sessions = f"{quota['sessions']} ({quota['scope']})"
    return (quota["id"], quota["pattern"], sessions, shown_time(quota["from"]), *_word(quota))


def _audit_row(entry: dict[str, Any]) -> tuple[str, ...]:
    return (
        shown_time(entry["at"]),
        entry["by"],
        entry["action"],
        entry["subject"],
        shown_time(entry["until"]),
        entry["reason"],
        entry["detail"],
    )


def _word(order: dict[str, Any]) -> tuple[str, str, str]:
    return order["by"], shown_time(order["until"]), order["reason"]


def _print(console: Console, headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    table = Table(box=None, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    console.print(table)
