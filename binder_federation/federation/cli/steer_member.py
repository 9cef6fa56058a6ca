"""`binderfed weight`, `ramp`, `undrain`, `revoke`, `rotate`: orders about one member."""

import argparse
import sys
from typing import Any
from urllib.parse import quote

from binder_federation.federation.cli.admin_client import (
    NotUnderstood,
    add_admin_options,
    add_end,
    add_reason,
    ask,
    end_of,
)
from binder_federation.federation.cli.durations import duration, shown_time, shown_until
from binder_federation.federation.cli.invite import print_invitation

AGAIN = "usual"


def add_command(commands: Any) -> None:
    """Add the subcommands."""
    _add_weight(commands)
    _add_ramp(commands)
    _add_undrain(commands)
    _add_revoke(commands)
    _add_rotate(commands)


def member_parser(commands: Any, name: str, *, told: str, example: str) -> argparse.ArgumentParser:
    """A subcommand about one member."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=told,
        description=f"{told[0].upper()}{told[1:]}.",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("member", help="the member's name")
    add_admin_options(parser)
    return parser


def member_path(arguments: argparse.Namespace, order: str) -> str:
    """The order's address under `/api/admin/`."""
    return f"members/{quote(arguments.member, safe='')}/{order}"


def _add_weight(commands: Any) -> None:
    parser = member_parser(
        commands,
        "weight",
        told="give a member another share of the launches",
        example="binderfed weight uni-x 5 --for 7d --reason 'half of the nodes are away'\n"
        "  binderfed weight uni-x usual",
    )
    parser.add_argument("weight", help="more than 0; `usual` for the settings' again")
    add_reason(parser)
    add_end(parser)
    parser.set_defaults(run=_weight)


def _weight(arguments: argparse.Namespace) -> int:
    if arguments.weight == AGAIN:
        told = ask(arguments, "DELETE", member_path(arguments, "weight"), _reason(arguments))
    else:
        body = {"weight": _number(arguments.weight), **_reason(arguments), **end_of(arguments)}
        told = ask(arguments, "PUT", member_path(arguments, "weight"), body)
    return _print_weight(told["member"])


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise NotUnderstood(f"{text!r} is no weight: a number, or `usual`.") from error


def _add_ramp(commands: Any) -> None:
    parser = member_parser(
        commands,
        "ramp",
        told="move a member's weight little by little",
        example="binderfed ramp uni-x --to 10 --over 2h",
    )
    parser.add_argument("--to", metavar="WEIGHT", type=float, required=True, help="its last weight")
    parser.add_argument(
        "--from", dest="from_weight", metavar="WEIGHT", type=float, help="default: that of now"
    )
    parser.add_argument("--over", metavar="DURATION", type=duration, required=True, help="2h, 1d")
    add_reason(parser)
    add_end(parser)
    parser.set_defaults(run=_ramp)


def _ramp(arguments: argparse.Namespace) -> int:
    body = {
        "to": arguments.to,
        "over_seconds": arguments.over,
        **({} if arguments.from_weight is None else {"from": arguments.from_weight}),
        **_reason(arguments),
        **end_of(arguments),
    }
    told = ask(arguments, "PUT", member_path(arguments, "ramp"), body)
    return _print_weight(told["member"])


def _print_weight(member: dict[str, Any]) -> int:
    order, weight = member["weight"], member["in_force"]["weight"]
    if order is None:
        print(f"{member['name']} has its usual weight, {weight:g}.")
    elif ramp := order.get("ramp"):
        ends = shown_time(ramp["ends_at"])
        print(
            f"{member['name']} goes from weight {ramp['from']:g} to {order['weight']:g}, "
            f"reached on {ends}; now {weight:g}."
        )
        if order["until"] is not None:
            print(f"It holds {shown_until(order['until'])}.")
    else:
        until = shown_until(order["until"])
        print(f"{member['name']} has weight {weight:g} (usually {_usual(member):g}) {until}.")
    return 0


def _usual(member: dict[str, Any]) -> float:
    return float(member["usual"]["weight"])


def _add_undrain(commands: Any) -> None:
    parser = member_parser(
        commands,
        "undrain",
        told="let a member take launches again",
        example="binderfed undrain uni-x --reason 'the disks are in'",
    )
    add_reason(parser)
    parser.set_defaults(run=_undrain)


def _undrain(arguments: argparse.Namespace) -> int:
    told = ask(arguments, "DELETE", member_path(arguments, "drain"), _reason(arguments))
    print(f"{told['member']['name']} takes launches again.")
    return 0


def _add_revoke(commands: Any) -> None:
    parser = member_parser(
        commands,
        "revoke",
        told="take a membership away; the member's reports are refused from then on",
        example="binderfed revoke uni-x --reason 'left the federation'\n"
        "  binderfed revoke uni-x --reinvite --reason 'its key was stolen'\n"
        "  binderfed revoke uni-x --undo      (of a member of the settings)",
    )
    add_reason(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask for the name again")
    parser.add_argument("--force", action="store_true", help="also the last one that is well")
    parser.add_argument(
        "--reinvite",
        action="store_true",
        help="and make an invitation for it at once: its key is known to somebody else",
    )
    parser.add_argument("--undo", action="store_true", help="make it a member again")
    parser.set_defaults(run=_revoke)


def _revoke(arguments: argparse.Namespace) -> int:
    path, name = member_path(arguments, "revoke"), arguments.member
    if arguments.undo:
        ask(arguments, "DELETE", path, _reason(arguments))
        print(f"{name} is a member again.")
        return 0
    if not arguments.reason:
        raise NotUnderstood("Revoking needs a reason.", advice="Add --reason '…'.")
    if not arguments.yes:
        _confirm(name)
    body = {**_reason(arguments), "force": arguments.force, "reinvite": arguments.reinvite}
    told = ask(arguments, "POST", path, body)
    print(f"{name} is no member any more. Its running sessions stay; it gets no launches.")
    if arguments.reinvite:
        print_invitation(arguments, told)
    return 0


def _confirm(name: str) -> None:
    if not sys.stdin.isatty():
        raise NotUnderstood(
            "Revoking asks for the member's name, and nobody is here to type it.",
            advice="Add --yes if this is meant.",
        )
    if input(f"This ends the membership of {name}. Type its name to go on: ").strip() != name:
        raise NotUnderstood("That is not its name: nothing was done.")


def _add_rotate(commands: Any) -> None:
    parser = member_parser(
        commands,
        "rotate",
        told="replace the credential of a member that joined by invitation",
        example="binderfed rotate uni-x --reason 'every spring'",
    )
    parser.add_argument(
        "--grace", metavar="DURATION", type=duration, default=86_400.0,
        help="the old one is taken for so long if the new one is not used yet (default: 1d)",
    )  # fmt: skip
    add_reason(parser)
    parser.set_defaults(run=_rotate)


def _rotate(arguments: argparse.Namespace) -> int:
    body = {"grace_seconds": arguments.grace, **_reason(arguments)}
    told = ask(arguments, "POST", member_path(arguments, "rotate"), body)
    print(f"{arguments.member} gets a new credential with the answer to its next report.")
    print(f"The old one is taken until then, at most {shown_until(told['old_generation_until'])}.")
    return 0


def _reason(arguments: argparse.Namespace) -> dict[str, Any]:
    return {"reason": arguments.reason}
