"""Redirects per second and their p99, beside aiohttp's constant 307.

The federation is `binderfed serve` in redirect mode with three members that are up and
hold all the images between them; it has one core, the load generator another. The
yardstick runs on the federation's core, in turn with it.
"""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks import fleet
from benchmarks.load import Load, generate_load, get_request
from benchmarks.rounds import Pairs
from benchmarks.rows import Row
from benchmarks.servers import cores, find_port, python_server
from benchmarks.sizes import Sizes
from binder_federation.binder.spec import LaunchSpec

CONNECTIONS = 16
LEAST_RATIO = 0.6
MOST_P99_RATIO = 2.0


def run(sizes: Sizes) -> list[Row]:
    """Measure; takes about `2 × rounds × round_seconds`."""
    return asyncio.run(_run(sizes))


async def _run(sizes: Sizes) -> list[Row]:
    measured, measuring = cores()
    os.sched_setaffinity(0, {measuring})
    members = [fleet.Member(f"member-{letter}") for letter in "abc"]
    specs = [make_spec(number) for number in range(sizes.repositories)]
    for number, member in enumerate(members):  # each image at one or two of the members
        member.images = [image_record(s) for i, s in enumerate(specs) if i % 3 in (number, 0)]
    async with fleet.answering_probes(members), aiohttp.ClientSession() as session:
        with _federation(members, core=measured) as port:
            url = f"http://127.0.0.1:{port}"
            await fleet.report(session, url, members)
            await fleet.wait_until_up(session, url, len(members))
            length = await _location_length(session, f"{url}/build/{build_path(specs[0])}")
            with _constant(length, core=measured) as constant_port:
                pairs = await _rounds(session, sizes, members, specs, (port, constant_port))
    return _rows(pairs)


async def _rounds(
    session: aiohttp.ClientSession,
    sizes: Sizes,
    members: list[fleet.Member],
    specs: list[LaunchSpec],
    ports: tuple[int, int],
) -> Pairs[Load]:
    pairs: list[tuple[Load, Load]] = []
    requests = {p: [get_request(f"/build/{build_path(s)}", p) for s in specs] for p in ports}

    async def measure(port: int, seconds: float) -> Load:
        return await generate_load(
            port, requests[port], seconds=seconds, connections=CONNECTIONS, status=307
        )

    for port in ports:  # refs are looked up, caches filled, code is warm
        await measure(port, sizes.warm_up_seconds)
    for _ in range(sizes.rounds):
        await fleet.report(session, f"http://127.0.0.1:{ports[0]}", members)
        ours = await measure(ports[0], sizes.round_seconds)
        pairs.append((ours, await measure(ports[1], sizes.round_seconds)))
    return Pairs(pairs)


def _rows(pairs: Pairs[Load]) -> list[Row]:
    def p99_ms(load: Load) -> float:
        return load.p99_seconds * 1000

    def per_second(load: Load) -> float:
        return load.per_second

    ratio, p99_ratio = pairs.ratio(per_second), pairs.ratio(p99_ms)
    return [
        Row(
            "redirects",
            pairs.ours(per_second),
            "/s",
            yardstick=pairs.yardstick(per_second),
            ratio=ratio,
            target=f"ratio >= {LEAST_RATIO}",
            holds=ratio >= LEAST_RATIO,
        ),
        Row(
            "redirect p99",
            pairs.ours(p99_ms),
            "ms",
            yardstick=pairs.yardstick(p99_ms),
            ratio=p99_ratio,
            target=f"ratio <= {MOST_P99_RATIO:g}",
            holds=p99_ratio <= MOST_P99_RATIO,
        ),
    ]


def make_spec(number: int) -> LaunchSpec:
    """A repository of its own at a full commit id, which nobody has to look up."""
    return LaunchSpec("gh", f"owner-{number % 997}/repository-{number}", f"{number:040x}")


def build_path(spec: LaunchSpec) -> str:
    """Its path after `/build/`."""
    return f"{spec.provider}/{spec.repository}/{spec.ref}"


def image_record(spec: LaunchSpec) -> dict[str, Any]:
    """A report's record of its image."""
    return {
        "key": spec.image_key(spec.ref),
        "repository": spec.affinity_key,
        "size_bytes": 1_500_000_000,
    }


@contextlib.contextmanager
def _federation(members: list[fleet.Member], *, core: int) -> Iterator[int]:
    port = find_port()
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "federation.yaml"
        fleet.write_settings(settings, members, port=port, launch={"mode": "redirect"})
        profiled = ["-m", "benchmarks.profiled"] if os.environ.get("BENCHMARK_PROFILE") else ["-m"]
        arguments = [*profiled, "binder_federation.federation.cli.main", "serve", "--config"]
        with python_server([*arguments, str(settings)], port=port, core=core):
            yield port


@contextlib.contextmanager
def _constant(length: int, *, core: int) -> Iterator[int]:
    port = find_port()
    arguments = ["-m", "benchmarks.constant_redirect", str(port), str(length)]
    with python_server(arguments, port=port, core=core):
        yield port


async def _location_length(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(url, allow_redirects=False) as answer:
        if answer.status != 307:
            raise RuntimeError(f"the federation answers {answer.status} instead of redirecting")
        return len(answer.headers["Location"])
