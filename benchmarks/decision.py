"""The p99 of one decision at 5, 100 and 1,000 members, with all facts mirrored.

Timed is what serving does for a launch between the resolved ref and the chosen member:
what is known of the image, the fleet's snapshot (after the last launch changed it), the
choice. Images are drawn evenly, so no cache helps; a part of them nobody has. Redis is
configured and not there, so the mirror answers alone: what is measured is computing.

The yardstick is the best rendezvous rank of the same fleet, and nothing else.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from aiohttp import web
from pydantic import SecretStr

from benchmarks.rounds import Pairs, percentile
from benchmarks.rows import Row
from benchmarks.servers import cores, pinned_to
from benchmarks.sizes import Sizes
from binder_federation.binder.messages import ImageRecord, LoadRecord, Report, Tier
from binder_federation.binder.resolver import ResolvedSpec
from binder_federation.binder.spec import ImageKey, LaunchSpec
from binder_federation.config.federation import (
    FederationSettings,
    HealthSettings,
    MemberSettings,
    RedisSettings,
)
from binder_federation.federation.context import FederationContext
from binder_federation.federation.core.choose import choose
from binder_federation.federation.core.rendezvous import rank_top
from binder_federation.federation.wiring import open_context
from binder_federation.runtime.garbage import leave_the_old_alone

MOST_MICROSECONDS = {5: 200.0, 100: 500.0, 1000: 1000.0}
"""The target for each size of the fleet."""
HOLDERS = 3
MISS_SHARE = 0.2
REFRESH_SECONDS = 0.4
"""The service looks at the whole fleet in the background so often; here between decisions."""
WARM_UP_DECISIONS = 200
AT_ONCE = 50
"""So many members begin to be probed together."""


@dataclass(frozen=True, slots=True)
class _Fixture:
    context: FederationContext
    rng: random.Random
    images: int
    """So many are held by three members each."""


@dataclass(slots=True)
class _Taken:
    """Seconds that each decision took: by the clock, and of the core.

    Where others use the core too, the clock's p99 is that of the scheduler.
    """

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @contextmanager
    def timing(self) -> Iterator[None]:
        """Time what is done within."""
        began, cpu_began = time.perf_counter(), time.thread_time()
        yield
        self.cpu.append(time.thread_time() - cpu_began)
        self.wall.append(time.perf_counter() - began)


def run(sizes: Sizes) -> list[Row]:
    """Measure each size of the fleet in turn."""
    with pinned_to(cores()[0]):
        return [row for count in MOST_MICROSECONDS for row in asyncio.run(_measure(count, sizes))]


async def _measure(members: int, sizes: Sizes) -> list[Row]:
    async with _fleet(members, images=sizes.facts // HOLDERS) as fixture:
        leave_the_old_alone()  # as `binderfed serve` does
        await _decide(fixture, WARM_UP_DECISIONS)
        rounds = [
            (await _decide(fixture, sizes.decisions), _rank(fixture, sizes.decisions))
            for _ in range(sizes.rounds)
        ]
        facts = await fixture.context.shared.store.image_count() * HOLDERS
    pairs = Pairs(rounds)
    most = MOST_MICROSECONDS[members]
    where = f"at {members:,} members, {facts:,} facts"
    return [
        _row(f"p99 {where}", pairs, lambda taken: percentile(taken.wall, 0.99), most=most),
        _row(f"p99 of CPU {where}", pairs, lambda taken: percentile(taken.cpu, 0.99)),
        _row(f"p50 {where}", pairs, lambda taken: percentile(taken.wall, 0.5)),
    ]


def _row(
    name: str,
    pairs: Pairs[_Taken],
    seconds: Callable[[_Taken], float],
    *,
    most: float | None = None,
) -> Row:
    value = pairs.ours(seconds) * 1e6
    return Row(
        name,
        value,
        "us",
        yardstick=pairs.yardstick(seconds) * 1e6,
        ratio=pairs.ratio(seconds),
        target=f"< {most:g} us" if most else "",
        holds=value < most if most else None,
    )


async def _decide(fixture: _Fixture, count: int) -> _Taken:
    """Seconds of each of so many decisions; each launch counts as sent before the next one."""
    context, rng = fixture.context, fixture.rng
    fleet_view, settings = context.fleet, context.settings.health
    wanted = [_draw(fixture) for _ in range(count)]
    taken = _Taken()
    refreshed_at = 0.0
    for resolved in wanted:
        now = time.time()
        if now - refreshed_at > REFRESH_SECONDS:
            fleet_view.refresh(now=now)
            refreshed_at = now
        with taken.timing():
            image = await fleet_view.image(resolved, now=now)
            fleet = fleet_view.snapshot(now=now)
            decision = choose(fleet, image, now=now, rng=rng, settings=settings)
        if decision.member is None:
            raise RuntimeError(f"nobody takes a launch: {decision.phrase}")
        context.reports.note_sent(decision.member, resolved.image_key, now=now)
    return taken


def _rank(fixture: _Fixture, count: int) -> _Taken:
    """Seconds of each of so many rendezvous choices."""
    members = fixture.context.fleet.snapshot(now=time.time()).members
    keys = [_draw(fixture).spec.affinity_key for _ in range(count)]
    taken = _Taken()
    for key in keys:
        with taken.timing():
            rank_top(members, key, 1)
    return taken


def _draw(fixture: _Fixture) -> ResolvedSpec:
    is_miss = fixture.rng.random() < MISS_SHARE
    number = fixture.rng.randrange(fixture.images)
    return _resolved(number + fixture.images if is_miss else number)


def _resolved(number: int) -> ResolvedSpec:
    ref = f"{number:040x}"
    return ResolvedSpec(LaunchSpec("gh", f"owner-{number % 997}/repository-{number}", ref), ref)


@asynccontextmanager
async def _fleet(members: int, *, images: int) -> AsyncIterator[_Fixture]:
    """A replica's context, its members up, their reports in, the facts known."""
    names = [f"member-{number}" for number in range(members)]
    async with _answering_probes() as url:
        with TemporaryDirectory() as folder:
            async with open_context(_settings(names, url, Path(folder))) as context:
                for first in range(0, len(names), AT_ONCE):
                    await _bring_up(context, names[first : first + AT_ONCE], url)
                await _report(context, names)
                rng = random.Random(1)  # noqa: S311 - repeatable on purpose
                for name, records in _inventories(names, images, rng).items():
                    await context.shared.store.apply_changes(name, records, (), now=time.time())
                yield _Fixture(context, rng, images)


def _settings(names: Sequence[str], url: str, folder: Path) -> FederationSettings:
    credential = "a-credential-for-benchmarks-only"
    return FederationSettings(
        members=tuple(
            MemberSettings(name=name, url=f"{url}/{name}", credential=SecretStr(credential))
            for name in names
        ),
        health=HealthSettings(probe_every_seconds=3600, probe_timeout_seconds=60),
        redis=RedisSettings(url=f"unix://{folder}/nobody.sock"),
    )


def _inventories(
    names: Sequence[str], images: int, rng: random.Random
) -> dict[str, list[ImageRecord]]:
    records: dict[str, list[ImageRecord]] = {name: [] for name in names}
    for number in range(images):
        resolved = _resolved(number)
        record = ImageRecord.model_construct(
            key=ImageKey(resolved.image_key),
            repository=resolved.spec.affinity_key,
            tier=Tier.NODE if number % 2 else Tier.REGISTRY,
            size_bytes=1_500_000_000,
        )
        for name in rng.sample(names, HOLDERS):
            records[name].append(record)
    return records


async def _report(context: FederationContext, names: Sequence[str]) -> None:
    for name in names:
        report = Report(
            member=name,
            session="benchmark",
            sequence=0,
            load=LoadRecord(capacity=10_000_000, running=0, pending=0, build_slots=4, building=0),
            inventory="whole",
        )
        await context.reports.accept(report, now=time.time())


async def _bring_up(context: FederationContext, names: Sequence[str], url: str) -> None:
    """Begin to probe members, and wait until they are up."""
    for name in names:
        context.monitor.watch(name, f"{url}/{name}")
    for name in names:
        for _ in range(1000):
            if context.monitor.health(name).state.is_well:
                break
            await asyncio.sleep(0.02)
        else:
            raise RuntimeError(f"{name} did not come up")


@asynccontextmanager
async def _answering_probes() -> AsyncIterator[str]:
    """One server that answers the probes of every member, told apart by the path."""

    async def well(_request: web.Request) -> web.Response:
        return web.json_response({"ok": True, "checks": []})

    app = web.Application()
    app.router.add_get("/{member}/{what}", well)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
