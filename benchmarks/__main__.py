"""`python -m benchmarks`: run the benchmarks, print a table, write JSON."""

import argparse
import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.rows import Row, print_table, row_from, write_json
from benchmarks.sizes import QUICK, Sizes
from binder_federation.runtime.logs import configure_logs

Run = Callable[[Sizes], list[Row]]

MODULES: Mapping[str, str] = {
    "redirect": "benchmarks.redirect",
    "decision": "benchmarks.decision",
    "relay": "benchmarks.relay",
    "redis": "benchmarks.redis_store",
    "warm": "benchmarks.warm_pool",
    "spawn": "benchmarks.spawn",
}
ABOUT = {
    "redirect": "requests per second in redirect mode, beside a constant 307",
    "decision": "one decision at 5, 100 and 1,000 members, beside rendezvous hashing alone",
    "relay": "many event streams through the federation, beside reading the member directly",
    "redis": "bytes, loading and reports of the Redis store",
    "warm": "warm servers at a trace's arrivals, beside a fixed pool of three",
    "spawn": "a launch on Kubernetes, beside asking its hub directly; the agent's own CPU",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run; the exit status is 1 when `--check` is given and a target does not hold."""
    arguments = make_parser().parse_args(argv)
    console = Console(stderr=True)
    configure_logs(level="error")
    sizes = QUICK if arguments.quick else Sizes()
    results: dict[str, list[Row]] = {}
    for name in arguments.only:
        console.print(f"[bold]{name}[/]: {ABOUT[name]} …", highlight=False)
        results[name] = _run(name, sizes)
    print_table(results)
    write_json(arguments.json, results, is_quick=arguments.quick)
    console.print(f"The figures are in {arguments.json}.", highlight=False)
    missed = [row.name for rows in results.values() for row in rows if row.holds is False]
    if missed:
        console.print(f"Targets that do not hold: {', '.join(missed)}.", highlight=False)
    return 1 if missed and arguments.check else 0


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Each benchmark runs beside its yardstick, in alternating rounds.",
        epilog="\n".join(f"  {name:9} {about}" for name, about in ABOUT.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    day = datetime.now(UTC).date()
    parser.add_argument(
        "--only", type=_names, default=list(MODULES), metavar="NAMES", help="some, by commas"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that it works")
    parser.add_argument("--check", action="store_true", help="fail when a target does not hold")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        default=Path(f".binderfed/bench-{day}.json"),
        help="where the figures go (default: %(default)s)",
    )
    return parser


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in MODULES:
            known = ", ".join(MODULES)
            raise argparse.ArgumentTypeError(f"there is no benchmark {name!r}, only {known}")
    return names


def _run(name: str, sizes: Sizes) -> list[Row]:
    module: Any = importlib.import_module(MODULES[name])
    if name != "redis":
        run: Run = module.run
        return run(sizes)
    return [row_from(fields) for fields in module.run(images=sizes.redis_images)]


if __name__ == "__main__":
    sys.exit(main())
