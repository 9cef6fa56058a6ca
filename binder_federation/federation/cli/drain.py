"""`binderfed drain`: no new launches for a member, and a wait until its sessions have ended."""

import argparse
import sys
import time
from typing import Any

import httpx
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from binder_federation.federation.cli.admin_client import (
    OrderRefused,
    add_end,
    add_reason,
    ask,
    end_of,
)
from binder_federation.federation.cli.client import read_answer, readable_errors
from binder_federation.federation.cli.durations import duration, shown_until
from binder_federation.federation.cli.steer_member import member_parser, member_path

ASK_EVERY_SECONDS = 1.0
PATIENCE_SECONDS = 60.0
"""A federation that is being restarted may be away for so long."""
SURE_SECONDS = 3.0
"""By then every replica knows of the drain, and has told of its last launches there."""
EMPTY, TOO_LATE = 0, 5


def add_command(commands: Any) -> None:
    """Add the subcommand."""
    parser = member_parser(
        commands,
        "drain",
        told="give a member no new launches; its running sessions stay",
        example="binderfed drain uni-x --reason 'new disks' --for 2h --wait\n\n"
        "exit status:\n  0  done\n  1  refused, or the federation could not be asked\n"
        "  5  with --wait: the time was over, sessions still run",
    )
    add_reason(parser, required=True)
    add_end(parser)
    parser.add_argument("--force", action="store_true", help="also the last one that is well")
    parser.add_argument("--wait", action="store_true", help="until no session runs there")
    parser.add_argument(
        "--timeout", metavar="DURATION", type=duration, default=86_400.0,
        help="how long to wait (default: 1d)",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Drain the member, and wait if it is asked for."""
    body = {"reason": arguments.reason, "force": arguments.force, **end_of(arguments)}
    member = ask(arguments, "PUT", member_path(arguments, "drain"), body)["member"]
    until = shown_until(member["drain"]["until"])
    print(f"{member['name']} takes no new launches {until}; running sessions stay.", flush=True)
    if not arguments.wait:
        return EMPTY
    try:
        return _wait(arguments)
    except KeyboardInterrupt:
        print(
            f"The drain stays in force. Take it back with: binderfed undrain {member['name']}",
            file=sys.stderr,
        )
        raise


def _wait(arguments: argparse.Namespace) -> int:
    deadline = time.monotonic() + arguments.timeout
    sure_at = time.monotonic() + SURE_SECONDS
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("asking", total=None)
        while (now := time.monotonic()) < deadline:
            sessions = _sessions(arguments)
            if sessions == 0 and now >= sure_at:
                print(f"No session runs at {arguments.member}.")
                return EMPTY
            progress.update(task, description=_words(arguments.member, sessions))
            time.sleep(min(ASK_EVERY_SECONDS, max(0.0, deadline - now)))
    print(f"binderfed: sessions still run at {arguments.member}.", file=sys.stderr)
    return TOO_LATE


def _words(member: str, sessions: int | None) -> str:
    if sessions is None:
        return f"{member} does not report how many sessions it has"
    return (
        f"{sessions} sessions run at {member}" if sessions != 1 else f"1 session runs at {member}"
    )


def _sessions(arguments: argparse.Namespace) -> int | None:
    """Sessions that run or start there; None while the member does not say."""
    for member in _members(arguments.federation.rstrip("/")):
        if member["name"] == arguments.member:
            load = member["load"]
            return None if load is None else int(load["running"]) + int(load["pending"])
    raise OrderRefused(f"{arguments.member} is no member any more.")


def _members(base: str) -> list[dict[str, Any]]:
    with readable_errors(base):
        for attempt in Retrying(
            retry=retry_if_exception_type(httpx.TransportError),
            wait=wait_fixed(ASK_EVERY_SECONDS),
            stop=stop_after_delay(PATIENCE_SECONDS),
            reraise=True,
        ):
            with attempt:
                answer = httpx.get(f"{base}/api/members", timeout=10)
        answer.raise_for_status()
        members: list[dict[str, Any]] = read_answer(answer)["members"]
    return members
