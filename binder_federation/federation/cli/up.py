"""`binderfed up`: a federation on one machine, to try it out.

Writes settings for the federation and each member into the state folder, starts
every part as a process of its own, and looks after them until Ctrl-C.
"""

import argparse
import asyncio
from pathlib import Path
from typing import Any

from binder_federation.federation.cli import up_example, up_ready, up_settings
from binder_federation.federation.cli.supervisor import Part, Supervisor
from binder_federation.runtime.processes import OWNER_MARK

EXAMPLES = """\
examples:
  binderfed up                          two members, alpha and beta, at http://127.0.0.1:8080
  binderfed up --port 9000 --members 3
  binderfed up --stack docker           members on this machine's Docker engine
  binderfed up --trust http://127.0.0.1:3000/
                                        also launch from a git server on this machine
  binderfed up --config more.yaml       further settings: a mapping with any of the sections
                                        `providers` (for all), `federation` and `agent`

It listens on 127.0.0.1 only. The local stack runs a repository's code as you, without
isolation: whoever can reach it can run code as you. On Docker each server is a container of
its own, built with repo2docker. Members that strangers may use: docs/members.md.
"""
WHY_LOOPBACK = {
    "local": (
        "It listens on 127.0.0.1 only: the local stack runs a repository's code as you,\n"
        "without isolation. Launch what you would also run by hand."
    ),
    "docker": (
        "It listens on 127.0.0.1 only. Each server is a container of its own. An image is\n"
        "built with repo2docker, whose base takes minutes to fetch the first time."
    ),
}


def add_command(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "up",
        help="run a whole federation on this machine",
        description="Runs a federation with its members on this machine, until Ctrl-C.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=8080, help="of the federation (%(default)s)")
    parser.add_argument("--members", type=int, default=2, help="how many (%(default)s)")
    parser.add_argument(
        "--stack",
        choices=sorted(WHY_LOOPBACK),
        default="local",
        help="how members build and run servers (%(default)s)",
    )
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=Path(".binderfed"),
        help="where images, logs and settings are kept (%(default)s)",
    )
    parser.add_argument("--sessions", type=int, help="sessions at once, for each member")
    parser.add_argument(
        "--trust",
        action="append",
        default=[],
        metavar="URL",
        help="repositories below this URL may be launched although they are on this network "
        "(http://127.0.0.1:3000/) or this machine (file:///srv/repositories/); may be repeated",
    )
    parser.add_argument(
        "--allow-private-addresses",
        action="store_true",
        help="repositories may be anywhere on this network",
    )
    parser.add_argument(
        "--restart-seconds",
        type=float,
        default=20.0,
        help="a member that crashed is started again after so long (%(default)s)",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="further settings, as YAML")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run until Ctrl-C or SIGTERM; 0 then, 1 when it could not start."""
    return asyncio.run(_up(arguments))


async def _up(arguments: argparse.Namespace) -> int:
    state_dir: Path = arguments.state_dir.resolve()
    with up_settings.exclusive(state_dir):
        example = await up_example.ensure_example(state_dir / "examples")
        plan = up_settings.write_settings(arguments, state_dir, example)
        supervisor = Supervisor(_parts(plan, arguments.restart_seconds), log_dir=plan.log_dir)
        async with supervisor.running():
            ready = await up_ready.wait_until_ready(plan, supervisor)
            if ready:
                _print_welcome(plan, arguments.stack)
                await supervisor.stop_requested.wait()
            return 0 if ready or supervisor.was_stopped else 1


def _parts(plan: up_settings.Plan, restart_seconds: float) -> list[Part]:
    members = [
        Part(
            name=member.name,
            module="binder_federation.cluster_agent.cli",
            arguments=(
                "serve",
                "--config",
                str(member.settings_file),
                "--ready-file",
                str(member.ready_file),
                "--die-with-parent",
            ),
            restart_seconds=restart_seconds,
            mark=(OWNER_MARK, str(member.state_dir)),
        )
        for member in plan.members
    ]
    federation = Part(
        name="federation",
        module="binder_federation.federation.cli.main",
        arguments=("serve", "--config", str(plan.settings_file), "--die-with-parent"),
        restart_seconds=1.0,
    )
    return [federation, *members]


def _print_welcome(plan: up_settings.Plan, stack: str) -> None:
    names = ", ".join(member.name for member in plan.members)
    print(f"\nBinder Federation is ready, with {len(plan.members)} members: {names}\n")
    print(f"  Home page:  {plan.url}/")
    print(f"  Try this:   {plan.url}/{plan.example_path}\n")
    print(WHY_LOOPBACK[stack])
    print(f"Logs: {plan.log_dir}    Stop: Ctrl-C", flush=True)
