"""Thousands of connections that are slow, half-open or half-sent: others launch as before."""

import asyncio
import statistics
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest
import yaml

from binder_federation.binder.events import Phase
from tests.support.eventually import eventually
from tests.support.fake_member import CREDENTIAL, FakeMember
from tests.support.federation_server import SHA
from tests.support.ports import free_port
from tests.support.running_up import FederationClient

pytestmark = pytest.mark.live

CONNECTIONS = 5000
SECONDS = 60.0
CALM_SECONDS = 30.0
EVERY_SECONDS = 0.25
START_SECONDS = 1.0
"""A server's start: so long do the quickest of real ones take."""
MOST_GROWTH = 200 << 20

ATTACK = """
import asyncio, itertools, resource, sys
host, port, count, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
resource.setrlimit(resource.RLIMIT_NOFILE, (count + 500, max(count + 500,
    resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
POST = b"POST %s HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 1000000\\r\\n"
HEADS = [
    b"",
    b"GET /heal",
    b"GET /health HTTP/1.1\\r\\nHost: x\\r\\n",
    b"GET /health HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n",
    POST % b"/api/members/alpha/report" + b"\\r\\n" + b"x" * 40000,
    POST % b"/api/members/alpha/report"
    + b"Authorization: Bearer %s\\r\\n\\r\\n{" % sys.argv[5].encode(),
    POST % b"/api/join" + b"\\r\\n" + b"x",
    POST % b"/api/admin/bans" + b"\\r\\n",
]

async def one(head, number):
    # Who is sent away comes again.
    while True:
        try:
            address = (f"127.0.0.{2 + number % 200}", 0)
            reader, writer = await asyncio.open_connection(host, port, local_addr=address)
            writer.write(head)
            while True:
                try:
                    async with asyncio.timeout(5):
                        if not await reader.read(4096):
                            break
                except TimeoutError:
                    writer.write(b"x")
        except OSError:
            pass
        await asyncio.sleep(5)

async def main():
    try:
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for number, head in zip(range(count), itertools.cycle(HEADS)):
                group.create_task(one(head, number))
                if number % 50 == 49:
                    await asyncio.sleep(0.05)
            print("open", flush=True)
    except TimeoutError:
        pass

asyncio.run(main())
"""


async def launch_for(client: FederationClient, seconds: float, name: str) -> list[float]:
    """How long launches took that began at a steady rate; all of them ended well."""
    took: list[float] = []

    async def one(number: int) -> None:
        began_at = time.monotonic()
        seen = await client.launch(f"gh/owner/{name}-{number}/{SHA}")
        assert seen.last.phase is Phase.READY, seen.last
        took.append(time.monotonic() - began_at)

    async with asyncio.TaskGroup() as group:
        until, number = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            group.create_task(one(number))
            number += 1
            await asyncio.sleep(EVERY_SECONDS)
    return took


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


async def test_others_launch_as_before(tmp_path: Path) -> None:
    member = FakeMember("alpha")
    member.launch_seconds = START_SECONDS
    await member.start()
    port = free_port()
    settings = tmp_path / "federation.yaml"
    settings.write_text(yaml.safe_dump({"port": port, "members": [member.settings]}))
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "binder_federation.federation.cli.main", "serve"]
    process = await asyncio.create_subprocess_exec(
        *command, "--config", str(settings), stderr=asyncio.subprocess.DEVNULL
    )
    attacker: asyncio.subprocess.Process | None = None
    try:
        client = FederationClient(url=url)

        async def is_up() -> bool:
            try:
                return bool((await client.members())["alpha"]["state"] == "up")
            except (httpx.HTTPError, KeyError):
                return False

        await eventually(is_up, what="the federation to serve")
        calm = await launch_for(client, CALM_SECONDS, "calm")
        before = psutil.Process(process.pid).memory_info().rss
        attacker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", ATTACK, "127.0.0.1", str(port), str(CONNECTIONS)),
            *(str(SECONDS + 30), CREDENTIAL),
            stdout=asyncio.subprocess.PIPE,
        )
        assert attacker.stdout is not None
        assert await attacker.stdout.readline() == b"open\n"
        slow = await launch_for(client, SECONDS, "slow")
        growth = psutil.Process(process.pid).memory_info().rss - before
        files = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
        sys.stdout.write(
            f"\n{len(calm)} launches alone: p95 {p95(calm):.2f} s; {len(slow)} beside "
            f"{CONNECTIONS} slow connections ({files} files open): p95 {p95(slow):.2f} s, "
            f"{p95(slow) / p95(calm):.2f} times; memory +{growth / 2**20:.0f} MiB\n"
        )
        assert growth < MOST_GROWTH
        assert p95(slow) < 1.5 * p95(calm)
    finally:
        for each in (attacker, process):
            if each is not None and each.returncode is None:
                each.terminate()
                await each.wait()
        await member.stop()
