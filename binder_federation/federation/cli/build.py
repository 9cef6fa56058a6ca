"""`binderfed build`: has an image made at members before anybody launches it, and waits."""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin

import httpx
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from binder_federation.federation.cli.admin_client import own_token
from binder_federation.federation.cli.client import (
    FederationUnreachable,
    add_federation_option,
    read_answer,
    readable_errors,
)
from binder_federation.federation.cli.launch import launch_path

EXAMPLES = """\
examples:
  binderfed build gh/owner/repository/HEAD                    at the member that would launch it
  binderfed build gh/owner/repository/main --all-members
  binderfed build gh/owner/repository/v1.2 --members uni-a,uni-b --json

exit status:
  0  every member that was named has the image (without names: one has it)
  1  the federation could not be asked, or refused
  2  the command was not understood
  3  the repository is not there, or does not build
  4  some members do not have the image; the table says which and why
  5  the time was over; the members go on
"""
ASK_EVERY_SECONDS = 0.5
PATIENCE_SECONDS = 30.0
"""A federation that is being restarted may be away for so long."""
MOST_TIMES_LOST = 3
READY, FAILED_REPOSITORY, NOT_EVERYWHERE, TOO_LATE = 0, 3, 4, 5
COLOURS = {"ready": "green", "failed": "red", "skipped": "yellow"}


def add_command(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "build",
        help="have an image made before anybody launches it",
        description="Has members make the image of <provider>/<spec>, and waits until they have.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("spec", help="provider/spec, or a launch link, or a git URL")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--all-members", action="store_true", help="at every member")
    where.add_argument("--members", metavar="NAMES", help="at these members, by comma")
    add_federation_option(parser)
    parser.add_argument(
        "--token",
        default=os.environ.get("BINDERFED_TOKEN") or os.environ.get("BINDERFED_ADMIN_TOKEN"),
        help="a token of builds.tokens, or an admin token with the scope prepare; better in the "
        "variable BINDERFED_TOKEN or BINDERFED_ADMIN_TOKEN (its defaults), as others on this "
        "machine see a command's arguments",
    )
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=float, default=3600.0,
        help="how long to wait (default: an hour)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="the last state as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Have the image made; the status says how it went (see `EXAMPLES`)."""
    base = arguments.federation.rstrip("/") + "/"
    token = arguments.token or own_token(base)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = {"spec": launch_path(arguments.spec), "members": _members(arguments)}
    deadline = time.monotonic() + arguments.timeout
    with readable_errors(base), httpx.Client(base_url=base, headers=headers, timeout=30) as client:
        state: dict[str, Any] = {}
        try:
            state = _begin(client, body)
            with _progress() as progress:
                state = _follow(client, body, state, progress, deadline=deadline)
        except KeyboardInterrupt:
            # What was asked for goes on, also where the answer had not come yet.
            where = urljoin(base, f"api/builds/{state['id']}") if state else base
            print(f"The members go on. How it stands: {where}", file=sys.stderr)
            raise
    if arguments.json:
        print(json.dumps(state, indent=2))
    else:
        _print(state)
    return _status(state)


def _members(arguments: argparse.Namespace) -> str | list[str]:
    if arguments.all_members:
        return "all"
    if arguments.members:
        return [name.strip() for name in arguments.members.split(",") if name.strip()]
    return "one"


def _begin(client: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("api/builds", json=body)
    state: dict[str, Any] = read_answer(answer)
    if answer.status_code != httpx.codes.ACCEPTED:
        raise FederationUnreachable(str(state["message"]), advice=str(state.get("advice", "")))
    return state


def _follow(
    client: httpx.Client,
    body: dict[str, Any],
    state: dict[str, Any],
    progress: "_Shown",
    *,
    deadline: float,
) -> dict[str, Any]:
    """The state when it has ended, or when the time is over.

    What a replica took with it when it died is asked for anew: what was built is there.
    """
    lost = 0
    while state["state"] != "ended" and time.monotonic() < deadline:
        progress.show(state)
        time.sleep(min(ASK_EVERY_SECONDS, max(0.0, deadline - time.monotonic())))
        found = _fetch(client, state["id"])
        if found is not None and found["state"] != "lost":
            state = found
        elif lost < MOST_TIMES_LOST:
            lost += 1
            state = _begin(client, body)
        else:
            raise FederationUnreachable("The federation lost this build again and again.")
    progress.show(state)
    return state


def _fetch(client: httpx.Client, build_id: str) -> dict[str, Any] | None:
    """How it stands; None when nobody knows it."""
    for attempt in Retrying(
        retry=retry_if_exception_type(httpx.TransportError),
        wait=wait_fixed(ASK_EVERY_SECONDS),
        stop=stop_after_delay(PATIENCE_SECONDS),
        reraise=True,
    ):
        with attempt:
            answer = client.get(f"api/builds/{build_id}")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None
    answer.raise_for_status()
    state: dict[str, Any] = read_answer(answer)
    return state


class _Shown:
    """One line for each member while it goes on."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def show(self, state: dict[str, Any]) -> None:
        for part in state["members"]:
            name = part["member"]
            text = f"{name}: {_words(part)}"
            if name not in self._tasks:
                self._tasks[name] = self._progress.add_task(text, total=None)
            is_over = part["outcome"] in COLOURS
            self._progress.update(self._tasks[name], description=text, total=1 if is_over else None)
            self._progress.update(self._tasks[name], completed=int(is_over))


@contextmanager
def _progress() -> Iterator[_Shown]:
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _Shown(progress)


def _words(part: dict[str, Any]) -> str:
    return str(part.get("phase") or part["outcome"])


def _print(state: dict[str, Any]) -> None:
    if error := state.get("error"):
        print(f"binderfed: {error['message']}", file=sys.stderr)
        if error.get("advice"):
            print(f"  {error['advice']}", file=sys.stderr)
        return
    table = Table(box=None, header_style="bold")
    for heading in ("Member", "Image", "Seconds", "What it said"):
        table.add_column(heading, justify="right" if heading == "Seconds" else "left")
    for part in state["members"]:
        outcome = part["outcome"]
        shown = "was there" if part.get("was_there") else outcome
        message = "" if outcome == "ready" else str(part.get("message", ""))
        colour = COLOURS.get(outcome, "cyan")
        table.add_row(part["member"], f"[{colour}]{shown}[/]", f"{part.get('seconds', '')}",
                      message.replace("[", r"\["))  # fmt: skip
    Console().print(table)
    if state["state"] != "ended":
        print("binderfed: the time is over; the members go on.", file=sys.stderr)


def _status(state: dict[str, Any]) -> int:
    if state["state"] != "ended":
        return TOO_LATE
    if state["outcome"] == "ready":
        return READY
    failures = [*state["members"], *([state["error"]] if "error" in state else [])]
    if any(failure.get("fault") == "repository" for failure in failures):
        return FAILED_REPOSITORY
    return NOT_EVERYWHERE
