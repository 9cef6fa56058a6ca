"""`binderfed-agent join`, `leave`, `preflight`: reads arguments; `membership/command.py` acts."""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from binder_federation.cluster_agent.membership import command
from binder_federation.cluster_agent.membership.settling import settle
from binder_federation.cluster_agent.membership.telling import (
    ConsoleTeller,
    JsonTeller,
    Teller,
)
from binder_federation.cluster_agent.serve import serve
from binder_federation.config.agent import AgentSettings
from binder_federation.config.load import ConfigurationError, load_settings
from binder_federation.runtime.tasks import BackgroundTasks

WAIT_SECONDS = 300.0
LEAVE_SECONDS = 3600.0
TOKEN_VARIABLE = "BINDERFED_AGENT_JOIN__TOKEN"  # noqa: S105 - its name

JOIN_TEXT = """\
Looks at what can be seen from here, exchanges the invitation for a membership, and waits until the
federation has looked too. The agent must serve for that: start it beside, or add --serve. Running
it again shows the checklist again; nothing is done twice.
"""
JOIN_EPILOG = f"""\
TOKEN may be - for standard input; left out, it is read from {TOKEN_VARIABLE}.
Other users of a machine can see a process's arguments; a token is good for one use.

examples:
  binderfed-agent join https://binder.example.org bfi_... --config agent.yaml --serve
  binderfed-agent join https://binder.example.org - < invitation
  binderfed-agent join                            # once more: how far is it?

Exit status: 0 admitted, 1 not (yet), 2 settings not understood.
"""


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the three."""
    join = commands.add_parser(
        "join",
        help="become a member by an invitation",
        description=JOIN_TEXT,
        epilog=JOIN_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    join.add_argument("url", nargs="?", metavar="URL", help="the federation's address")
    join.add_argument("token", nargs="?", metavar="TOKEN", help="the invitation's")
    join.add_argument("--agent-url", metavar="URL", help="where the federation reaches this agent")
    join.add_argument("--serve", action="store_true", help="serve, in this process, and go on")
    join.add_argument("--wait", type=float, default=WAIT_SECONDS, metavar="SECONDS")
    join.set_defaults(run=_join)
    leave = commands.add_parser(
        "leave",
        help="drain, wait, and be no member any more",
        description="Takes no launches any more, waits until no session runs, tells the "
        "federation, and removes what was kept.",
    )
    leave.add_argument("--now", action="store_true", help="do not wait for sessions to end")
    leave.add_argument("--wait", type=float, default=LEAVE_SECONDS, metavar="SECONDS")
    leave.set_defaults(run=_leave)
    look = commands.add_parser(
        "preflight",
        aliases=["doctor"],
        help="what stands in the way of a membership",
        description="Shows what can be seen from here and what the federation says; uses nothing.",
    )
    look.add_argument("url", nargs="?", metavar="URL", help="the federation's address")
    look.set_defaults(run=_preflight)
    for parser in (join, leave, look):
        parser.add_argument("--config", type=Path, metavar="FILE", help="the agent's settings")
        parser.add_argument("--state-dir", type=Path, metavar="DIR", help="where it is kept")
        parser.add_argument("--json", action="store_true", help="tell it as JSON")


def _join(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments)
    if not arguments.serve:
        return _tell(
            arguments,
            lambda teller: command.join(settings, teller=teller, wait_seconds=arguments.wait),
        )
    return _tell(arguments, lambda teller: _join_and_serve(settings, teller, arguments.wait))


async def _join_and_serve(settings: AgentSettings, teller: Teller, wait_seconds: float) -> bool:
    """Serve until a signal comes; whether it was admitted meanwhile."""
    if not await command.enter(settings, teller=teller):
        return False
    tasks = BackgroundTasks()
    following = tasks.start(
        command.follow(settings, teller=teller, wait_seconds=wait_seconds), name="follow-joining"
    )
    try:
        await serve(settle(settings))
        return following.done() and following.exception() is None and bool(following.result())
    finally:
        await tasks.aclose()


def _leave(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments)
    seconds = 0.0 if arguments.now else arguments.wait
    return _tell(
        arguments, lambda teller: command.leave(settings, teller=teller, wait_seconds=seconds)
    )


def _preflight(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments)
    return _tell(arguments, lambda teller: command.examine(settings, teller=teller))


def _settings(arguments: argparse.Namespace) -> AgentSettings:
    join = {
        "url": getattr(arguments, "url", None),
        "token": _token(arguments),
        "agent_url": getattr(arguments, "agent_url", None),
    }
    given: dict[str, Any] = {"join": {name: value for name, value in join.items() if value}}
    if arguments.state_dir is not None:
        given["state_dir"] = arguments.state_dir
    settings = load_settings(AgentSettings, arguments.config, **given)
    if settings.credential is not None:
        raise ConfigurationError(
            "The settings have a credential: this agent is a member without an invitation."
        )
    return settings


def _token(arguments: argparse.Namespace) -> str:
    given = getattr(arguments, "token", None)
    if given == "-":
        return sys.stdin.readline().strip()
    return given or ""


def _tell(
    arguments: argparse.Namespace, action: Callable[[Teller], Coroutine[Any, Any, bool]]
) -> int:
    if not arguments.json:
        return 0 if asyncio.run(action(ConsoleTeller())) else 1
    teller = JsonTeller()
    try:
        return 0 if asyncio.run(action(teller)) else 1
    finally:
        sys.stdout.write(teller.to_text() + os.linesep)
