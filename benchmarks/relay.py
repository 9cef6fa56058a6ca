"""Many launches streaming at once through a federation, beside reading the member directly.

One process has a core for the federation; the member, which sends an event every second
on each stream, and the visitors share the other. First half of the direct streams, then
those through the federation, then the other half. Events carry the time at which they
were sent, so the delay is that of the whole way; the member's and visitors' own share of
it is in both.
"""

import asyncio
import resource
from dataclasses import dataclass

import aiohttp

from benchmarks import fleet
from benchmarks.redirect import build_path, make_spec
from benchmarks.rounds import percentile
from benchmarks.rows import Row
from benchmarks.servers import cores, cpu_seconds, pinned_to, resident_bytes
from benchmarks.sizes import Sizes
from benchmarks.ticking_member import TickingMember, ticking_member
from benchmarks.watchers import Seen, Watchers

MOST_ADDED_MS = 50.0
MOST_KIB_PER_STREAM = 100.0
SETTLE_SECONDS = 2.0
END_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class _Relayed:
    seen: Seen
    bytes_per_stream: float
    core_share: float
    """Of the federation's core, while all streams are open."""


def run(sizes: Sizes) -> list[Row]:
    """Measure; takes about twice `stream_seconds`."""
    _allow_many_files()
    measured, measuring = cores()
    with pinned_to(measuring):
        return asyncio.run(_run(sizes, measured=measured))


async def _run(sizes: Sizes, *, measured: int) -> list[Row]:
    async with ticking_member() as member:
        before = await _watch_directly(member, sizes, seconds=sizes.stream_seconds / 2)
        relayed = await _watch_relayed(member, sizes, core=measured)
        after = await _watch_directly(member, sizes, seconds=sizes.stream_seconds / 2)
    return _rows(sizes, relayed, [*before.delays, *after.delays])


async def _watch_directly(member: TickingMember, sizes: Sizes, *, seconds: float) -> Seen:
    paths = [f"/build/{build_path(make_spec(number))}" for number in range(sizes.streams)]
    watchers = Watchers(port=member.port, paths=paths)
    await watchers.open()
    await watchers.watch(seconds)
    member.finish()
    await watchers.wait_for_end(within_seconds=END_SECONDS)
    return watchers.seen


async def _watch_relayed(member: TickingMember, sizes: Sizes, *, core: int) -> _Relayed:
    members = [fleet.Member("member-a", url=f"http://127.0.0.1:{member.port}")]
    paths = [f"/build/{build_path(make_spec(number))}" for number in range(sizes.streams)]
    async with aiohttp.ClientSession() as session:
        with fleet.federation(members, core=core) as (port, pid):
            await fleet.wait_until_up(session, f"http://127.0.0.1:{port}", len(members))
            bytes_before = resident_bytes(pid)
            watchers = Watchers(port=port, paths=paths)
            await watchers.open()
            await asyncio.sleep(SETTLE_SECONDS)
            cpu_before = cpu_seconds(pid)
            await watchers.watch(sizes.stream_seconds)
            used = cpu_seconds(pid) - cpu_before
            held = resident_bytes(pid) - bytes_before
            member.finish()
            await watchers.wait_for_end(within_seconds=END_SECONDS)
    return _Relayed(watchers.seen, held / sizes.streams, used / sizes.stream_seconds)


def _rows(sizes: Sizes, relayed: _Relayed, direct: list[float]) -> list[Row]:
    p99, p99_direct = (percentile(d, 0.99) * 1000 for d in (relayed.seen.delays, direct))
    kib = relayed.bytes_per_stream / 1024
    lost = sizes.streams - relayed.seen.ready + relayed.seen.gaps
    of_streams = f"of {sizes.streams:,} streams"
    return [
        Row(
            f"p99 delay added, {of_streams[3:]}",
            p99 - p99_direct,
            "ms",
            target=f"< {MOST_ADDED_MS:g} ms",
            holds=p99 - p99_direct < MOST_ADDED_MS,
        ),
        Row("p99 delay", p99, "ms", yardstick=p99_direct, ratio=p99 / p99_direct),
        Row(
            "memory per stream",
            kib,
            "KiB",
            target=f"< {MOST_KIB_PER_STREAM:g} KiB",
            holds=kib < MOST_KIB_PER_STREAM,
        ),
        Row(f"lost {of_streams}", lost, "", target="0", holds=lost == 0),
        Row("share of a core used", relayed.core_share * 100, "%"),
    ]


def _allow_many_files() -> None:
    """Each stream takes two sockets here and two in the federation, which inherits this."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
