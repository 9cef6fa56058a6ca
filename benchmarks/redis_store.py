"""What replicas share, in figures: bytes in Redis, seconds and memory of a mirror, reports.

Servers are its own, on sockets in a temporary folder. A mirror is loaded in a process of
its own, so that its memory is that of a replica that starts. Yardsticks: the obvious
layout (a hash per image), reading the same hashes without keeping them, and setting the
same values without anything around it.

Alone: `python -m benchmarks.redis_store`.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from subprocess import run as run_process
from typing import Any

from benchmarks.rows import Row, print_table
from binder_federation.binder.messages import ImageRecord, LoadRecord, Report, Tier
from binder_federation.config.federation import RedisSettings
from binder_federation.federation.locality.mirror import Mirror
from binder_federation.federation.locality.packing import day_at, pack_fact
from binder_federation.federation.locality.rewriter import Rewriter
from binder_federation.federation.shared.connection import RedisConnection, make_client
from binder_federation.federation.shared.context import Shared
from binder_federation.runtime.tasks import BackgroundTasks
from tests.support.redis_fixtures import NOW, open_replica, settle, store_of
from tests.support.redis_servers import RedisServer, running_server, server_binaries

MEMBERS = ("gke-europe", "ovh-paris-1", "hetzner-de")
IMAGES_PER_REPOSITORY = 10
TARGET_IMAGES = 1_000_000
"""With fewer the buckets are not full, and their names weigh more."""
REPORTS = 5_000
REPORTING_MEMBERS = 500
REPORT_SECONDS_AT_500 = 4.0
MIB = 1024 * 1024


def run(*, images: int = 1_000_000) -> list[dict[str, Any]]:
    """All figures, as rows (`rows.py`)."""
    return [asdict(row) for row in _rows(images)]


def _rows(images: int) -> list[Row]:
    rows = []
    for kind, binary in server_binaries().items():
        if binary is None:
            continue
        with running_server(binary) as server:
            rows.append(asyncio.run(_bytes_per_fact(server, kind, images)))
            if kind == "valkey":
                rows += _load(server, images)
                server.flush()
                rows += asyncio.run(_reports(server))
    return rows


async def _bytes_per_fact(server: RedisServer, kind: str, images: int) -> Row:
    facts = images * len(MEMBERS)
    with closing(server.client()) as client:
        before = _used(client)
        plain = _write_plainly(client, images // 10) / (facts // 10)
        client.flushall()
        async with open_replica(_settings(server)) as shared:
            await _fill(shared, images)
            value = (_used(client) - before) / facts
    return Row(
        name=f"bytes per fact, {kind}, {images:,} images x {len(MEMBERS)} members",
        value=value,
        unit="B",
        yardstick=plain,
        ratio=value / plain,
        target="<= 60 B" if images >= TARGET_IMAGES else "",
        holds=value <= 60 if images >= TARGET_IMAGES else None,
    )


async def _fill(shared: Shared, images: int) -> None:
    """Facts, and who built what, as replicas write them after a loss."""
    mirror, rng, today = Mirror(), random.Random(1), day_at(NOW)  # noqa: S311 - the same each time
    for _ in range(images // IMAGES_PER_REPOSITORY):
        repository = rng.randbytes(8)
        for member in MEMBERS:
            mirror.put_built(repository, member, today)
    for _ in range(images):
        key, size_bytes = rng.randbytes(16), rng.randrange(10**8, 10**10)
        for member in MEMBERS:
            mirror.put(key, member, pack_fact(Tier.REGISTRY, size_bytes, today))
    await Rewriter(connection=_connection(shared), mirror=mirror).write_all(work="benchmark")


def _write_plainly(client: Any, images: int) -> int:
    """The obvious layout: a hash for each image. Returns the bytes that it takes."""
    before, rng = _used(client), random.Random(2)  # noqa: S311 - the same each time
    pipeline = client.pipeline(transaction=False)
    for number in range(images):
        value = {"tier": "registry", "size": rng.randrange(10**8, 10**10), "seen": int(NOW)}
        fields = {member: json.dumps(value) for member in MEMBERS}
        pipeline.hset(f"image:{rng.randbytes(16).hex()}", mapping=fields)
        if number % 1000 == 999:
            pipeline.execute()
    pipeline.execute()
    return _used(client) - before


def _load(server: RedisServer, images: int) -> list[Row]:
    """Load the mirror in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.redis_store", server.url]
    done = run_process(
        command, capture_output=True, check=True, text=True, cwd=Path(__file__).parents[1]
    )
    found = json.loads(done.stdout.splitlines()[-1])
    if found["facts"] != images * len(MEMBERS):
        raise RuntimeError("not all facts were loaded")
    seconds, plain, mebibytes = found["seconds"], found["plain_seconds"], found["mebibytes"]
    return [
        Row("load of the mirror", seconds, "s", plain, seconds / plain, "<= 30 s", seconds <= 30),
        Row("processor time of the load", found["cpu_seconds"], "s"),
        Row("longest turn while loading", 1000 * found["longest_turn_seconds"], "ms"),
        Row(
            name="process with the mirror, resident",
            value=mebibytes,
            unit="MiB",
            yardstick=found["mebibytes_before"],
            ratio=mebibytes / found["mebibytes_before"],
            target="<= 1024 MiB",
            holds=mebibytes <= 1024,
        ),
        Row("one lookup of an image", 1e6 * found["lookup_seconds"], "µs"),
    ]


async def _load_here(url: str) -> Mapping[str, float]:
    """In the process of its own: a replica starts."""
    settings = RedisSettings.model_validate(
        {"url": url, "deadline_seconds": 2.0, "background_deadline_seconds": 20.0}
    )
    plain_seconds = await _read_plainly(settings)
    mebibytes_before = _resident_mebibytes()
    began, cpu = time.perf_counter(), time.process_time()
    async with open_replica(settings) as shared:
        longest = await _longest_turn(shared)
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
        return {
            "seconds": seconds,
            "cpu_seconds": cpu_seconds,
            "plain_seconds": plain_seconds,
            "longest_turn_seconds": longest,
            "mebibytes_before": mebibytes_before,
            "mebibytes": _resident_mebibytes(),
            "facts": store_of(shared).mirror.images.value_count,
            "lookup_seconds": await _lookup_seconds(shared),
        }


async def _longest_turn(shared: Shared) -> float:
    """Load, and look how long nothing else had its turn, in processor time: others' work on
    this machine is left out."""
    longest, tasks = 0.0, BackgroundTasks()
    loading = tasks.start(store_of(shared).settle(within_seconds=300), name="load")
    while not loading.done():
        began = time.thread_time()
        await asyncio.sleep(0.001)
        longest = max(longest, time.thread_time() - began)
    if not loading.result():
        raise TimeoutError("the mirror was not loaded in five minutes")
    return longest


async def _read_plainly(settings: RedisSettings) -> float:
    """Seconds to read the same hashes and forget them."""
    began = time.perf_counter()
    client = make_client(settings)
    for pattern in ("bf1:image:*", "bf1:built:*"):
        names = [name async for name in client.scan_iter(match=pattern, count=1000)]
        for start in range(0, len(names), 100):
            pipeline = client.pipeline(transaction=False)
            for name in names[start : start + 100]:
                pipeline.hgetall(name)
            await pipeline.execute()
    await client.aclose()
    return time.perf_counter() - began


async def _lookup_seconds(shared: Shared) -> float:
    mirror = store_of(shared).mirror
    keys = [key.hex() for shard in range(16) for key in mirror.images.shard(shard)][:20_000]
    began = time.perf_counter()
    for key in keys:
        await shared.store.facts(key, "gh/owner/repository", now=NOW)  # type: ignore[arg-type]
    return (time.perf_counter() - began) / len(keys)


async def _reports(server: RedisServer) -> list[Row]:
    bodies = list(_report_bodies())
    async with open_replica(_settings(server)) as shared:
        began = time.perf_counter()
        for body in bodies:
            await _accept(shared, body)
        await settle(shared)
        rate = len(bodies) / (time.perf_counter() - began)
        share = await _share_at_500(shared, bodies)
        plain = await _set_plainly(shared, bodies)
    return [
        Row("reports taken in", rate, "/s", plain, rate / plain, ">= 500 /s", rate >= 500),
        Row("one core's share at 500 reports a second", share, ""),
    ]


async def _share_at_500(shared: Shared, bodies: list[bytes]) -> float:
    """Processor time by seconds, at 500 a second."""
    began, cpu, sent = time.perf_counter(), time.process_time(), 0
    while (elapsed := time.perf_counter() - began) < REPORT_SECONDS_AT_500:
        while sent < 500 * elapsed:
            await _accept(shared, bodies[sent % len(bodies)])
            sent += 1
        await asyncio.sleep(0.002)
    await settle(shared)
    return (time.process_time() - cpu) / (time.perf_counter() - began)


async def _accept(shared: Shared, body: bytes) -> None:
    """As a replica does with a report: read it, learn its images, tell the others the rest."""
    report = Report.model_validate_json(body)
    await shared.store.apply_changes(report.member, report.images, report.removed, now=NOW)
    told = report.model_copy(update={"images": (), "removed": ()})
    shared.last_reports.publish(report.member, told.model_dump_json().encode())
    await asyncio.sleep(0)


async def _set_plainly(shared: Shared, bodies: list[bytes]) -> float:
    """Values a second, set in batches as large as the outbox's."""
    client = make_client(_connection(shared).settings)
    began = time.perf_counter()
    for start in range(0, len(bodies), 500):
        pipeline = client.pipeline(transaction=False)
        for number, body in enumerate(bodies[start : start + 500]):
            pipeline.set(f"plain:{number}", body, ex=60)
        await pipeline.execute()
    rate = len(bodies) / (time.perf_counter() - began)
    await client.aclose()
    return rate


def _report_bodies() -> Iterator[bytes]:
    """Each report of a member tells of one more image."""
    rng = random.Random(3)  # noqa: S311 - the same each time
    for number in range(REPORTS):
        yield (
            Report(
                member=f"member-{number % REPORTING_MEMBERS}",
                session="1",
                sequence=number,
                load=LoadRecord(capacity=100, running=number % 100, build_slots=4),
                inventory="changes",
                images=(
                    ImageRecord(
                        key=rng.randbytes(16).hex(),
                        repository=f"gh/owner/{number % 500}",
                        size_bytes=10**9,
                    ),
                ),
            )
            .model_dump_json()
            .encode()
        )


def _settings(server: RedisServer) -> RedisSettings:
    return server.settings(background_deadline_seconds=20.0)


def _connection(shared: Shared) -> RedisConnection:
    assert shared.redis is not None  # noqa: S101 - it was asked for
    return shared.redis


def _used(client: Any) -> int:
    return int(client.info("memory")["used_memory"])


def _resident_mebibytes() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / MIB


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(asyncio.run(_load_here(sys.argv[1]))))  # noqa: T201 - its output
    else:
        print_table({"redis": _rows(1_000_000)})
