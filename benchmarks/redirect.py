"""Redirects per second and their p99, beside aiohttp's constant 307.

The federation is `binderfed serve` in redirect mode with three members that are up and
hold all the images between them; it has one core, the load generator another. The
yardstick runs on the federation's core, in turn with it.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from benchmarks import fleet
from benchmarks.load import Load, generate_load, get_request
from benchmarks.rounds import Pairs
from benchmarks.rows import Row
from benchmarks.servers import cores, cpu_seconds, find_port, pinned_to, python_server
from benchmarks.sizes import Sizes
from binder_federation.binder.spec import LaunchSpec

CONNECTIONS = 16
LEAST_RATIO = 0.6
MOST_P99_RATIO = 2.0


def run(sizes: Sizes) -> list[Row]:
    """Measure; takes about `2 × rounds × round_seconds`."""
    measured, measuring = cores()
    with pinned_to(measuring):
        return asyncio.run(_run(sizes, measured=measured))


@dataclass(frozen=True, slots=True)
class _Round:
    """One round at one server."""

    load: Load
    cpu_seconds: float
    """What the server used for one request."""


@dataclass(frozen=True, slots=True)
class _Server:
    port: int
    pid: int
    requests: Sequence[bytes]

    async def measure(self, seconds: float) -> _Round:
        """Load it for so long."""
        before = cpu_seconds(self.pid)
        load = await generate_load(
            self.port, self.requests, seconds=seconds, connections=CONNECTIONS, status=307
        )
        return _Round(load, (cpu_seconds(self.pid) - before) / load.count)


async def _run(sizes: Sizes, *, measured: int) -> list[Row]:
    members = [fleet.Member(f"member-{letter}") for letter in "abc"]
    specs = [make_spec(number) for number in range(sizes.repositories)]
    for number, member in enumerate(members):  # each image at one or three of the members
        member.images = [image_record(s) for i, s in enumerate(specs) if i % 3 in (number, 0)]
    async with fleet.answering_probes(members), aiohttp.ClientSession() as session:
        with _federation(members, specs, core=measured) as ours:
            url = f"http://127.0.0.1:{ours.port}"
            await fleet.report(session, url, members)
            await fleet.wait_until_up(session, url, len(members))
            length = await _location_length(session, f"{url}/build/{build_path(specs[0])}")
            with _constant(length, specs, core=measured) as constant:
                pairs = await _rounds(session, sizes, members, ours, constant)
    return _rows(pairs)


async def _rounds(
    session: aiohttp.ClientSession,
    sizes: Sizes,
    members: list[fleet.Member],
    ours: _Server,
    constant: _Server,
) -> Pairs[_Round]:
    pairs: list[tuple[_Round, _Round]] = []
    for server in (ours, constant):  # refs are looked up, caches filled, code is warm
        await server.measure(sizes.warm_up_seconds)
    for _ in range(sizes.rounds):
        await fleet.report(session, f"http://127.0.0.1:{ours.port}", members)
        one = await ours.measure(sizes.round_seconds)
        pairs.append((one, await constant.measure(sizes.round_seconds)))
    return Pairs(pairs)


def _rows(pairs: Pairs[_Round]) -> list[Row]:
    def p99_ms(one: _Round) -> float:
        return one.load.p99_seconds * 1000

    def per_second(one: _Round) -> float:
        return one.load.per_second

    def cpu_microseconds(one: _Round) -> float:
        return one.cpu_seconds * 1e6

    return [
        pairs.row("redirects", per_second, "/s", at_least=LEAST_RATIO),
        pairs.row("redirect p99", p99_ms, "ms", at_most=MOST_P99_RATIO),
        pairs.row("server CPU per redirect", cpu_microseconds, "us"),
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
def _federation(
    members: list[fleet.Member], specs: Sequence[LaunchSpec], *, core: int
) -> Iterator[_Server]:
    with fleet.federation(members, core=core, launch={"mode": "redirect"}) as (port, pid):
        yield _Server(port, pid, _requests(specs, port))


@contextlib.contextmanager
def _constant(length: int, specs: Sequence[LaunchSpec], *, core: int) -> Iterator[_Server]:
    port = find_port()
    arguments = ["-m", "benchmarks.constant_redirect", str(port), str(length)]
    with python_server(arguments, port=port, core=core) as pid:
        yield _Server(port, pid, _requests(specs, port))


def _requests(specs: Sequence[LaunchSpec], port: int) -> list[bytes]:
    return [get_request(f"/build/{build_path(spec)}", port) for spec in specs]


async def _location_length(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(url, allow_redirects=False) as answer:
        if answer.status != 307:
            raise RuntimeError(f"the federation answers {answer.status} instead of redirecting")
        return len(answer.headers["Location"])
