"""`binderfed-agent drain` and `undrain`: asks the agent that runs with the same settings."""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any, ClassVar

import httpx

from binder_federation.cluster_agent.membership.command import open_desk
from binder_federation.cluster_agent.membership.settling import settle
from binder_federation.config.agent import AgentSettings
from binder_federation.config.load import load_settings
from binder_federation.runtime.errors import ServiceError

ANSWER_SECONDS = 10.0
TEXT = """\
While a member drains it gets no new launches, and the sessions that run go on. The
federation is told at once. It holds until `binderfed-agent undrain`, over restarts too.
"""
ADVICE = "Give the settings of the agent that runs (--config), or where it listens (--url)."


class AgentNotReached(ServiceError):
    """The agent of these settings does not answer, or does not know the credential."""

    code: ClassVar[str] = "agent_not_reached"


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `drain` and `undrain`."""
    drain = commands.add_parser("drain", help="take no new launches", description=TEXT)
    drain.add_argument("--reason", default="", help="for the log, and for who looks later")
    drain.set_defaults(run=_drain)
    undrain = commands.add_parser("undrain", help="take launches again", description=TEXT)
    undrain.set_defaults(run=_undrain)
    for parser in (drain, undrain):
        parser.add_argument("--config", type=Path, metavar="FILE", help="the agent's settings")
        parser.add_argument("--url", help="where the agent listens (from its settings)")


def _drain(arguments: argparse.Namespace) -> int:
    return _ask(arguments, "PUT", {"reason": arguments.reason})


def _undrain(arguments: argparse.Namespace) -> int:
    return _ask(arguments, "DELETE", {})


def _ask(arguments: argparse.Namespace, method: str, body: dict[str, Any]) -> int:
    settings = load_settings(AgentSettings, arguments.config)
    url = (arguments.url or _own_url(settings)).rstrip("/")
    try:
        answer = httpx.request(
            method,
            f"{url}/api/drain",
            json=body,
            headers={"Authorization": f"Bearer {asyncio.run(_credential(settings))}"},
            timeout=ANSWER_SECONDS,
        )
    except httpx.HTTPError as error:
        raise AgentNotReached(f"No agent answers at {url}.", advice=ADVICE) from error
    if answer.status_code == httpx.codes.FORBIDDEN:
        raise AgentNotReached(f"The agent at {url} has another credential.", advice=ADVICE)
    if answer.status_code != httpx.codes.OK:
        raise AgentNotReached(f"{url} answered with status {answer.status_code}.", advice=ADVICE)
    told = answer.json()
    state = "draining" if told["draining"] else "taking launches"
    sys.stdout.write(f"{settle(settings).name} is {state}; {told['sessions']} sessions run.\n")
    return 0


async def _credential(settings: AgentSettings) -> str:
    """Of the settings, or of the membership that is kept."""
    if settings.credential is not None:
        return settings.credential.get_secret_value()
    async with open_desk(settings) as desk:
        if not desk.identity.is_known:
            raise AgentNotReached("This agent is no member of a federation yet.", advice=ADVICE)
        return desk.identity.accepted[0]


def _own_url(settings: AgentSettings) -> str:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "") else settings.host  # noqa: S104 - compared
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
