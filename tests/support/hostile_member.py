"""A member that tries everything that a member can try, beside a good one."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil
from aiohttp import web

from binder_federation.binder.events import Phase
from tests.support.fake_member import CREDENTIAL, FakeMember
from tests.support.federation_server import SHA, FederationServer, running_federation

KEY = "0123456789abcdef" * 2
DIGITS = "9" * 400


def _data(text: str) -> bytes:
    return f"data: {text}\n\n".encode()


def _event(**fields: Any) -> bytes:
    return _data(json.dumps({"phase": "building", "message": "x\n", **fields}))


STREAMS: list[bytes] = [
    _event(phase="failed", code=["a"]),
    _event(phase="failed", fault="repository", code="build_failed"),
    _event(phase="ready", url="javascript:alert(1)", token="t"),
    _event(phase="ready"),
    _data('{"phase":' + "[" * 20_000),
    _data('{"phase": "building", "eta_seconds": Infinity}'),
    _data('{"phase": "failed", "status_code": ' + DIGITS + "}"),
    _event(message="x" * (1 << 20)),
    b"data: x\n" * 200_000,
    b"x" * 1_000_000,
    b"\xff\xfe" * 1000,
    _event(phase="failed", fault="provider"),
    b"",
]
HEALTH: list[bytes] = [
    b'{"ok": true, "checks": []}',
    b'{"ok": true, "checks": [{"service": "Disk \\ud800", "ok": true}]}',
    b'{"ok": true, "checks": [{"service": "\\u001b[2J", "ok": true, "quota": 1e999}]}',
    b'{"ok": true, "checks": []}',
]


def _report(**changes: Any) -> bytes:
    body = {
        "member": "aaa",
        "session": "s",
        "sequence": 1,
        "load": {"capacity": 1000},
        "inventory": "whole",
        **changes,
    }
    return json.dumps(body).replace('"DIGITS"', DIGITS).replace('"INF"', "Infinity").encode()


REPORTS: list[bytes] = [
    _report(),
    _report(load={"capacity": "DIGITS"}),
    _report(load={"capacity": 1000, "running": "DIGITS"}),
    _report(load={"capacity": 1000, "running": "INF"}),
    _report(load={"capacity": 5000, "running": 4000}, repositories={"gh/owner/r-1": 4000}),
    _report(images=[{"key": KEY, "repository": "gh/" + "x" * 100_000}]),
    _report(member="alpha", load={"capacity": 0}),
    b"[" * 100_000,
    b"x" * 6_000_000,
]


class HostileMember(FakeMember):
    """Its streams and its health are the next ones of the lists."""

    def attack(self) -> None:
        """Begin with the first of each."""
        self.streams: Iterator[bytes] = itertools.cycle(STREAMS)
        self.healths: Iterator[bytes] = itertools.cycle(HEALTH)

    async def _build(self, request: web.Request) -> web.StreamResponse:
        path, _ = self._admit(request)
        self.paths.append(path)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            await response.write(next(self.streams))
        return response

    async def _health(self, _request: web.Request) -> web.Response:
        self.probes["/health"] += 1
        return web.Response(body=next(self.healths), content_type="application/json")


@dataclass
class Outcome:
    """What came of it."""

    launches: int = 0
    lost: list[str] = field(default_factory=list)
    failures_before_out: int = 0
    """Launches that the hostile member failed until it was out of rotation: ejected, or so dear
    after its failures that it is asked no more."""
    was_out: bool = False
    pages: dict[int, int] = field(default_factory=dict)
    growth_bytes: int = 0


async def besiege(*, seconds: float, per_second: float) -> Outcome:
    """Launch at a steady rate beside a hostile member, for so long."""
    good, hostile = FakeMember("alpha"), HostileMember("aaa")
    hostile.attack()
    await good.start()
    await hostile.start()
    outcome = Outcome()
    async with running_federation([good, hostile]) as server:
        before = psutil.Process().memory_info().rss
        stop = asyncio.Event()
        background = [
            asyncio.ensure_future(work)  # noqa: TID251 - awaited below
            for work in (_report_all(server, stop), _read_pages(server, stop, outcome))
        ]
        loop = asyncio.get_running_loop()
        until, launches = loop.time() + seconds, []
        while loop.time() < until:
            launches.append(
                asyncio.ensure_future(  # noqa: TID251 - awaited below
                    _launch(server, hostile, f"gh/owner/r-{outcome.launches}/{SHA}", outcome)
                )
            )
            outcome.launches += 1
            await asyncio.sleep(1 / per_second)
        await asyncio.gather(*launches)
        stop.set()
        await asyncio.gather(*background)
        outcome.growth_bytes = psutil.Process().memory_info().rss - before
    await good.stop()
    await hostile.stop()
    return outcome


async def _launch(
    server: FederationServer, hostile: HostileMember, path: str, outcome: Outcome
) -> None:
    seen = await server.launch(path)
    if seen.last.phase is not Phase.READY or seen.last.fields["member"] != "alpha":
        outcome.lost.append(str(seen.last))
    if not outcome.was_out:
        health = server.context.monitor.health("aaa")
        outcome.failures_before_out = len(hostile.paths)
        outcome.was_out = health.is_ejected or not health.state.is_well


async def _report_all(server: FederationServer, stop: asyncio.Event) -> None:
    """The sender is an attacker: what becomes of its own requests is nobody's concern."""
    async with httpx.AsyncClient(base_url=server.url, timeout=10) as client:
        for body in itertools.cycle(REPORTS):
            if stop.is_set():
                return
            with contextlib.suppress(httpx.HTTPError):
                await client.post(
                    "/api/members/aaa/report",
                    content=body,
                    headers={"Authorization": f"Bearer {CREDENTIAL}"},
                )
            await asyncio.sleep(0.05)


async def _read_pages(server: FederationServer, stop: asyncio.Event, outcome: Outcome) -> None:
    while not stop.is_set():
        for page in ("/status", "/metrics"):
            status = (await server.client.get(page)).status_code
            outcome.pages[status] = outcome.pages.get(status, 0) + 1
        await asyncio.sleep(0.1)
