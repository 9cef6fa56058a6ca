"""The command `binderfed`."""

import argparse
import os
import sys
from collections.abc import Sequence

from binder_federation import __version__
from binder_federation.federation.cli import (
    ban,
    build,
    drain,
    explain,
    import_redirector,
    invite,
    launch,
    members,
    quota,
    serve,
    simulate,
    steer_member,
    steering,
    up,
)
from binder_federation.runtime.errors import ServiceError

_COMMANDS = (
    up, serve, launch, build, members, explain, steering, drain, steer_member, ban, quota, invite,
    simulate, import_redirector,
)  # fmt: skip
EXAMPLES = """\
first steps:
  binderfed up                                   a federation of two members on this machine
  binderfed launch gh/binder-examples/requirements/HEAD --open
                                                 launch a repository and open it
  binderfed build gh/owner/repository/HEAD --all-members
                                                 have its image made ahead of visitors
  binderfed members                              how the members are
  binderfed explain gh/owner/repository/HEAD     where a launch would go, and why

steering a federation (an admin token in BINDERFED_ADMIN_TOKEN):
  binderfed steering                             every live order beside the settings' values
  binderfed drain uni-x --reason 'new disks' --for 2h --wait
                                                 no new launches there; running sessions stay
  binderfed invite --name uni-x --weight 10      let an institution join

Each subcommand explains itself: binderfed launch --help
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0 done, 1 failed, 2 not understood."""
    parser = make_parser()
    arguments = parser.parse_args(argv)
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
    except ServiceError as error:
        print(f"binderfed: {error.message}", file=sys.stderr)
        if error.advice:
            print(f"  {error.advice}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has had enough (`| head`). What is still buffered goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return status


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command."""
    parser = argparse.ArgumentParser(
        prog="binderfed",
        description="A federated router and load balancer across Binder clusters.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"binderfed {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in _COMMANDS:
        module.add_command(commands)
    version = commands.add_parser("version", help="print the version")
    version.set_defaults(run=_version)
    return parser


def _version(_arguments: argparse.Namespace) -> int:
    print(f"binderfed {__version__}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
