"""`binderfed simulate`: the decision on trial, against other policies, in the same worlds."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from binder_federation.federation.simulation.failures import parse_joining, parse_loss
from binder_federation.federation.simulation.plan import Plan, slots_of_each
from binder_federation.federation.simulation.plot import check_plot, write_plot
from binder_federation.federation.simulation.report import avoidable_of_random, render
from binder_federation.federation.simulation.run import PolicyName
from binder_federation.federation.simulation.settings import (
    FleetSettings,
    Registries,
    SimulationError,
    WorldSettings,
    describe,
)
from binder_federation.federation.simulation.synthetic import PER_DAY, make_synthetic
from binder_federation.federation.simulation.trace import Trace, read_trace
from binder_federation.federation.simulation.workers import Result, Task, run_tasks, runs_of

EXAMPLES = """\
examples:
  binderfed simulate                                    twenty synthetic days, every policy
  binderfed simulate --trace launches.csv.gz --seeds 5 --members 20
  binderfed simulate --policy ours --policy random --world replicated --explain-losses
  binderfed simulate --policy ours --redis down --replicas 3
  binderfed simulate --lose member-2@12d+1h --join fresh@13d
  binderfed simulate --plot result.png --json > result.json

A trace is a CSV file (also .gz) with the columns minute, repository, spec, in time order; or
a launch event log, as of mybinder.org's archive (lines of JSON).
Every policy is tried on the same world: what a build or a session takes is drawn from the
seed and the thing it belongs to. What is assumed is printed with the result.
"""

FLEET, WORLD = FleetSettings(), WorldSettings()
MOST_REPLICAS = 256
T = TypeVar("T")


def add_command(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "simulate",
        help="try the decision on a trace, against other policies",
        description="Simulates launches at a federation, and tells how long they took.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_input(parser)
    _add_fleet(parser)
    _add_output(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Simulate and tell; status 0."""
    trace, plan = _read(arguments), _make_plan(arguments)
    plan.check(trace)
    if arguments.plot:
        check_plot(arguments.plot)
    policies = list(dict.fromkeys(map(PolicyName, arguments.policy or list(PolicyName))))
    seeds = range(arguments.seed, arguments.seed + arguments.seeds)
    tasks = [Task(policy, seed) for seed in seeds for policy in policies]
    total = len(tasks) * len(trace) * runs_of(plan)
    with _progress(total) as on_progress:
        results = run_tasks(tasks, plan, trace, jobs=arguments.jobs, on_progress=on_progress)
    if arguments.plot:
        write_plot(arguments.plot, [result.hours for result in results])
    _print(results, trace, plan, arguments)
    return 0


def _print(
    results: Sequence[Result], trace: Trace, plan: Plan, arguments: argparse.Namespace
) -> None:
    slots = slots_of_each(plan, trace)
    summaries = [result.summary for result in results]
    events = [event for result in results for event in result.disturbances]
    if arguments.json:
        answer = {
            "trace": {"name": trace.name, "launches": len(trace), "days": trace.days},
            "assumptions": describe(plan.fleet, plan.world)
            | {"slots_of_each_member": slots, "warm_up_days": plan.warm_up_days},
            "runs": [summary.to_json() for summary in summaries],
            "avoidable_of_random": avoidable_of_random(summaries),
            "events": [event.to_json() for event in events],
        }
        print(json.dumps(answer, indent=2))
        return
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(f"{trace.name}: {len(trace):,} launches in {trace.days:.1f} days")
    console.print(
        render(summaries, events, plan=plan, slots=slots, shows_losses=arguments.explain_losses)
    )


def _read(arguments: argparse.Namespace) -> Trace:
    if arguments.trace is None:
        days = arguments.days or 2 * arguments.warm_up
        return make_synthetic(
            days=days or 1.0, seed=arguments.seed, per_day=arguments.launches_per_day
        )
    trace = read_trace(arguments.trace)
    return trace.first_days(arguments.days) if arguments.days else trace


def _make_plan(arguments: argparse.Namespace) -> Plan:
    fleet = FleetSettings(
        members=arguments.members,
        slots=arguments.slots,
        utilisation=arguments.utilisation,
        registries=Registries(arguments.world),
        build_slots=arguments.build_slots,
        cache_bytes_per_slot=arguments.cache_gb_per_slot * 1e9,
        replicas=arguments.replicas,
        has_redis=arguments.redis == "up",
        report_every_seconds=arguments.report_every,
    )
    world = WorldSettings(
        commit_median_days=arguments.commit_days,
        build_median_seconds=arguments.build_seconds,
        size_median_bytes=arguments.image_gb * 1e9,
    )
    return Plan(
        fleet=fleet,
        world=world,
        warm_up_days=arguments.warm_up,
        losses=tuple(arguments.lose),
        joinings=tuple(arguments.join),
    )


def _add_input(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is launched")
    source = group.add_mutually_exclusive_group()
    source.add_argument("--trace", type=Path, metavar="FILE", help="launches from a CSV file")
    source.add_argument(
        "--synthetic", action="store_true", help="launches like mybinder.org's (the default)"
    )
    group.add_argument("--days", type=_above_zero, help="only the first days of the trace")
    group.add_argument(
        "--launches-per-day",
        type=_above_zero,
        default=PER_DAY,
        help="of a synthetic trace (default: %(default)s)",
    )
    group.add_argument(
        "--warm-up",
        type=_not_negative,
        default=10.0,
        metavar="DAYS",
        help="days that are simulated and not counted (default: 10)",
    )
    group.add_argument("--seeds", type=_count, default=1, help="worlds to try (default: 1)")
    group.add_argument("--seed", type=int, default=1, help="the first of them (default: 1)")
    group.add_argument("--commit-days", type=_above_zero, default=WORLD.commit_median_days)
    group.add_argument("--build-seconds", type=_above_zero, default=WORLD.build_median_seconds)
    group.add_argument("--image-gb", type=_above_zero, default=WORLD.size_median_bytes / 1e9)


def _add_fleet(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where, and by whom it is decided")
    group.add_argument(
        "--policy",
        action="append",
        choices=[policy.value for policy in PolicyName],
        help="may be repeated (default: all)",
    )
    group.add_argument("--members", type=_count, default=FLEET.members, help="(default: 3)")
    group.add_argument(
        "--world",
        choices=[each.value for each in Registries],
        default=Registries.OWN.value,
        help="each member has its own registry, or what one pushed is in all (default: own)",
    )
    group.add_argument("--slots", type=_count, default=0, help="sessions, of all members together")
    group.add_argument(
        "--utilisation",
        type=_share,
        default=FLEET.utilisation,
        help="of all slots in the mean, when --slots does not say how many (default: %(default)s)",
    )
    group.add_argument("--build-slots", type=_count, default=FLEET.build_slots, help="(default: 4)")
    group.add_argument(
        "--cache-gb-per-slot",
        type=_above_zero,
        default=FLEET.cache_bytes_per_slot / 1e9,
        help="images that a member's machines hold, for each of its sessions (default: 8)",
    )
    group.add_argument("--replicas", type=_replicas, default=FLEET.replicas, help="(default: 2)")
    group.add_argument("--redis", choices=("up", "down"), default="up", help="all along")
    group.add_argument(
        "--report-every",
        type=_above_zero,
        default=FLEET.report_every_seconds,
        metavar="SECONDS",
        help="how often members tell their load (default: 10)",
    )
    group.add_argument(
        "--lose",
        type=_parsed(parse_loss),
        action="append",
        default=[],
        metavar="MEMBER@TIME+DURATION",
        help="a member is gone for a while; members are member-1, member-2, …",
    )
    group.add_argument(
        "--join",
        type=_parsed(parse_joining),
        action="append",
        default=[],
        metavar="NAME@TIME",
        help="a further, empty member joins",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is told")
    group.add_argument("--json", action="store_true", help="everything, as JSON")
    group.add_argument(
        "--explain-losses", action="store_true", help="also what the seconds above the bound are"
    )
    group.add_argument(
        "--plot", type=Path, metavar="FILE.png", help="draw time to ready, builds and load"
    )
    group.add_argument(
        "--jobs",
        type=_count,
        default=os.cpu_count() or 1,
        help="runs at once, each in a process (default: one for each processor)",
    )


@contextmanager
def _progress(launches: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, when somebody can see it."""
    console = Console(stderr=True)
    columns = (TextColumn("simulating"), BarColumn(bar_width=None), TimeRemainingColumn())
    is_hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=is_hidden) as progress:
        task = progress.add_task("launches", total=launches)
        yield lambda further: progress.advance(task, further)


def _parsed(parse: Callable[[str], T]) -> Callable[[str], T]:
    """As argparse wants it: what cannot be understood ends the command with status 2."""

    def parse_argument(text: str) -> T:
        try:
            return parse(text)
        except SimulationError as error:
            raise argparse.ArgumentTypeError(error.message) from error

    return parse_argument


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from error
    if not isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is no use here")
    return value


def _above_zero(text: str) -> float:
    value = _number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def _not_negative(text: str) -> float:
    value = _number(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must not be below 0")
    return value


def _share(text: str) -> float:
    value = _above_zero(text)
    if value > 1:
        raise argparse.ArgumentTypeError("must be a share, above 0 and at most 1")
    return value


def _count(text: str) -> int:
    value = _above_zero(text)
    if value != int(value):
        raise argparse.ArgumentTypeError("must be a whole number")
    return int(value)


def _replicas(text: str) -> int:
    value = _count(text)
    if value > MOST_REPLICAS:
        raise argparse.ArgumentTypeError(f"must be at most {MOST_REPLICAS}")
    return value
