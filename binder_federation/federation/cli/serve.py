"""`binderfed serve`: one federation replica, from a YAML file."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from aiohttp import web
from pydantic import SecretStr

from binder_federation.config.federation import FederationSettings
from binder_federation.config.load import load_settings
from binder_federation.federation.own_token import ensure_token
from binder_federation.runtime.errors import ServiceError
from binder_federation.runtime.garbage import collect_in_quiet_moments, leave_the_old_alone
from binder_federation.runtime.logs import configure_logs
from binder_federation.runtime.processes import die_with_parent
from binder_federation.runtime.scrubbing import find_secrets
from binder_federation.runtime.serving import Runner, listen

EXAMPLE = """\
a configuration to begin with:

  port: 8080
  public_url: https://binder.example.org
  members:
    - name: uni-a
      url: https://agent.binder.uni-a.example
      credential: a-long-random-text      # the same in that agent's settings
      weight: 2
    - name: uni-b
      url: https://agent.binder.uni-b.example
      credential: another-one

Variables of the environment come before the file: BINDERFED_PORT=9000,
BINDERFED_PROVIDERS__GITHUB__TOKEN=…
"""
SHUTDOWN_SECONDS = 3.0
QUIET_LAUNCHES = 20
"""With no more launches under way nobody minds a pause."""


class CannotListen(ServiceError):
    """The address is taken, or not ours."""

    code = "cannot_listen"


def add_command(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "serve",
        help="run the federation alone, from a YAML file",
        description="Runs one replica of the federation; its members run elsewhere.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="the settings, as YAML")
    parser.add_argument("--host", help="the address to listen on")
    parser.add_argument("--port", type=int, help="the port to listen on")
    parser.add_argument(
        "--die-with-parent", action="store_true", help="stop when the process that started it ends"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    # Here and not above: every other subcommand starts in a third of the time without it.
    from binder_federation.federation.app import create_app

    if arguments.die_with_parent:
        die_with_parent()
    given = {"host": arguments.host, "port": arguments.port}
    overrides = {name: value for name, value in given.items() if value is not None}
    settings = load_settings(FederationSettings, arguments.config, **overrides)
    configure_logs(
        level=settings.log_level,
        format_=settings.log_format,
        service="binder-federation",
        secrets=find_secrets(settings),
    )
    settings = _with_admin_token(settings)
    print(f"Federation at http://{settings.host}:{settings.port}", file=sys.stderr)
    try:
        asyncio.run(_serve(_serving(create_app(settings)), settings))
    except OSError as error:
        raise CannotListen(
            f"{settings.host}:{settings.port} cannot be listened on: "
            f"{os.strerror(error.errno or 0)}.",
            advice="Choose another one with --port.",
        ) from error
    return 0


def _with_admin_token(settings: FederationSettings) -> FederationSettings:
    """There is always a token."""
    if settings.admin.token is not None or settings.admin.tokens:
        return settings
    token = SecretStr(ensure_token(settings.port))
    admin = settings.admin.model_copy(update={"token": token})
    return settings.model_copy(update={"admin": admin})


async def _serve(making: Awaitable[web.Application], settings: FederationSettings) -> None:
    """Until a signal comes."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    runner = Runner(await making, shutdown_seconds=SHUTDOWN_SECONDS)
    try:
        await runner.setup()
        await listen(runner, settings.host, settings.port)
        await stop.wait()
    finally:
        await runner.cleanup()


async def _serving(made: Awaitable[web.Application]) -> web.Application:
    """The application, whose streams no collection of the whole heap stops."""
    app = await made
    app.on_startup.append(_mind_the_garbage)
    return app


async def _mind_the_garbage(app: web.Application) -> None:
    from binder_federation.federation.context import CONTEXT

    context = app[CONTEXT]
    leave_the_old_alone()
    collect_in_quiet_moments(
        context.tasks, is_quiet=lambda: context.launches.under_way <= QUIET_LAUNCHES
    )
