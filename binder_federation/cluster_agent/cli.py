"""The command `binderfed-agent`."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from binder_federation import __version__
from binder_federation.cluster_agent import cli_drain, cli_join
from binder_federation.cluster_agent.membership.settling import settle
from binder_federation.cluster_agent.serve import serve
from binder_federation.config.agent import AgentSettings
from binder_federation.config.load import ConfigurationError, load_settings
from binder_federation.runtime.errors import ServiceError
from binder_federation.runtime.logs import configure_logs
from binder_federation.runtime.processes import die_with_parent
from binder_federation.runtime.scrubbing import find_secrets

FAILED, NOT_UNDERSTOOD = 1, 2

EXAMPLES = """\
a configuration to begin with, agent.yaml:

  name: alpha
  federation_url: https://binder.example.org
  credential: a-long-random-text       # the same in the federation's settings
  port: 8585
  quota:
    sessions: 40
  build:
    slots: 2

examples:
  binderfed-agent serve --config agent.yaml
  BINDERFED_AGENT_CREDENTIAL=... binderfed-agent serve --name alpha --port 0
  binderfed-agent join https://binder.example.org bfi_... --config agent.yaml --serve
  binderfed-agent drain --config agent.yaml --reason "new disks"

What an option says comes before the environment (BINDERFED_AGENT_PORT=9000,
BINDERFED_AGENT_BUILD__SLOTS=4), and that before the file. The credential has no
option: other users of a machine can read a process's arguments.

Exit status: 0 done or stopped by a signal, 1 could not, 2 settings not understood.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    arguments = make_parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except ConfigurationError as error:
        return _explain(error, NOT_UNDERSTOOD)
    except ServiceError as error:
        return _explain(error, FAILED)
    return status


def _explain(error: ServiceError, status: int) -> int:
    sentences = " ".join(part for part in (error.message, error.advice) if part)
    sys.stderr.write(f"binderfed-agent: {sentences}\n")
    return status


def _serve(arguments: argparse.Namespace) -> int:
    if arguments.die_with_parent:
        die_with_parent()
    names = ("name", "host", "port", "federation_url", "state_dir")
    given = {name: getattr(arguments, name) for name in names}
    overrides = {name: value for name, value in given.items() if value is not None}
    settings = settle(load_settings(AgentSettings, arguments.config, **overrides))
    configure_logs(
        level=settings.log_level,
        format_=settings.log_format,
        service="binder-cluster-agent",
        secrets=find_secrets(settings),
    )
    asyncio.run(serve(settings, ready_file=arguments.ready_file))
    return 0


def _version(_arguments: argparse.Namespace) -> int:
    sys.stdout.write(f"binderfed-agent {__version__}\n")
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command."""
    parser = argparse.ArgumentParser(
        prog="binderfed-agent",
        description="The cluster agent: makes one Binder cluster a member of a federation.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"binderfed-agent {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_serve(commands)
    cli_join.add_commands(commands)
    cli_drain.add_commands(commands)
    version = commands.add_parser("version", help="print the version")
    version.set_defaults(run=_version)
    return parser


def _add_serve(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "serve",
        help="run the agent until SIGTERM or Ctrl-C",
        description="Starts the stack, then serves BinderHub's API for this member.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="the settings, as YAML")
    parser.add_argument("--name", help="the member's name, as the federation knows it")
    parser.add_argument("--host", help="the address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="the port to listen on; 0 for any that is free")
    parser.add_argument("--federation-url", metavar="URL", help="where reports go")
    parser.add_argument("--state-dir", type=Path, metavar="DIR", help="where images are kept")
    parser.add_argument(
        "--ready-file",
        type=Path,
        metavar="FILE",
        help='written when it serves: {"url": ..., "hub_url": ..., "pid": ...}',
    )
    parser.add_argument(
        "--die-with-parent", action="store_true", help="stop when the process that started it ends"
    )
    parser.set_defaults(run=_serve)


if __name__ == "__main__":
    sys.exit(main())
