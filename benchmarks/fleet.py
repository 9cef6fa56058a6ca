"""Members for a federation under load: they answer probes, and their reports are posted."""

import contextlib
import json
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

from benchmarks.servers import find_port, python_server

LOAD = {"capacity": 50_000_000, "running": 0, "pending": 0, "build_slots": 4, "building": 0}


@dataclass(slots=True)
class Member:
    """One member. `images` are the records of its inventory."""

    name: str
    url: str = ""
    credential: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    images: Sequence[Mapping[str, Any]] = ()
    sequence: int = 0


def write_settings(path: Path, members: Iterable[Member], **settings: Any) -> None:
    """A settings file for `binderfed serve` with these members."""
    described = [{"name": m.name, "url": m.url, "credential": m.credential} for m in members]
    settings = {"log_level": "error", "members": described, **settings}
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")


@contextlib.asynccontextmanager
async def answering_probes(members: Sequence[Member]) -> AsyncIterator[None]:
    """Serve `/health` and `/versions` for each of them, on a port of its own."""
    async with contextlib.AsyncExitStack() as stack:
        for member in members:
            app = web.Application()
            app.router.add_get("/health", _well)
            app.router.add_get("/versions", _versions)
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            member.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield


@contextlib.contextmanager
def federation(
    members: Iterable[Member], *, core: int, **settings: Any
) -> Iterator[tuple[int, int]]:
    """`binderfed serve` with these members, on a core of its own: its port and its pid."""
    port = find_port()
    is_profiled = "BENCHMARK_PROFILE" in os.environ
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "federation.yaml"
        write_settings(file, members, port=port, **settings)
        command = ["-m", "binder_federation.federation.cli.main", "serve", "--config", str(file)]
        if is_profiled:
            command = ["-m", "benchmarks.profiled", *command[1:]]
        with python_server(command, port=port, core=core) as pid:
            yield port, pid


async def report(session: aiohttp.ClientSession, url: str, members: Iterable[Member]) -> None:
    """Post a report of each member: the first with its whole inventory."""
    for member in members:
        is_first = member.sequence == 0
        body = {
            "member": member.name,
            "session": "benchmark",
            "sequence": member.sequence,
            "load": LOAD,
            "inventory": "whole" if is_first else "changes",
            "images": list(member.images) if is_first else [],
        }
        async with session.post(
            f"{url}/api/members/{member.name}/report",
            data=json.dumps(body),
            headers={"Authorization": f"Bearer {member.credential}"},
        ) as answer:
            answer.raise_for_status()
        member.sequence += 1


async def wait_until_up(session: aiohttp.ClientSession, url: str, count: int) -> None:
    """Until so many members are up, as the federation says."""
    import asyncio

    async with asyncio.timeout(60):
        while True:
            async with session.get(f"{url}/api/members") as answer:
                members = (await answer.json())["members"]
            if sum(member["state"] == "up" for member in members) >= count:
                return
            await asyncio.sleep(0.1)


async def _well(_request: web.Request) -> web.Response:
    return web.json_response({"ok": True, "checks": []})


async def _versions(_request: web.Request) -> web.Response:
    return web.json_response({"builder": "benchmark"})
