"""What a member says of its health is cleaned where it comes in, and breaks no page, ever."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from binder_federation.binder.events import Phase
from tests.support.eventually import eventually
from tests.support.fake_member import FakeMember
from tests.support.federation_server import SHA, FederationServer, running_federation

PAGES = ("/status", "/api/status", "/status.atom", "/metrics", "/api/members", "/active_hosts")


class LiarsHealth(FakeMember):
    """It answers `/health` with these bytes."""

    answer: bytes = b'{"ok": true, "checks": []}'

    async def _health(self, _request: web.Request) -> web.Response:
        self.probes["/health"] += 1
        return web.Response(body=self.answer, status=200, content_type="application/json")


@pytest.fixture
async def beta() -> AsyncIterator[LiarsHealth]:
    member = LiarsHealth("beta")
    await member.start()
    yield member
    await member.stop()


def failing(**fields: Any) -> bytes:
    return json.dumps({"ok": False, "checks": [{"ok": False, **fields}]}).encode()


HOSTILE = {
    "a lone surrogate": failing(service="Disk \ud800"),
    "control characters": failing(service="\x1b[2J\x00Disk\x07"),
    "text that turns round": failing(service="\u202eksid"),
    "markup": failing(service='<script>alert(1)</script>"]\n{x="'),
    "a long name": failing(service="x" * 60_000),
    "a name that is no text": failing(service=["x"]),
    "infinity": b'{"ok": false, "checks": [{"service": "Pods", "ok": false, "n": Infinity}]}',
    "a long number": b'{"ok": false, "checks": [{"service": "Pods", "ok": false, "quota": %s}]}'
    % (b"9" * 400),
    "a number that is too large": failing(service="Pod quota", quota=10**17, total_pods=1),
    "deep nesting": b'{"checks":' + b"[" * 30_000,
    "a list": b"[1]",
    "not text": b"\xff\xfe",
}


async def pages_are_there(server: FederationServer) -> None:
    for page in PAGES:
        answer = await server.client.get(page)
        assert answer.status_code == 200, page
        assert answer.content.decode().isprintable() or page, page
    seen = await server.launch(f"gh/owner/repository/{SHA}")
    assert seen.last.phase is Phase.READY


@pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE.keys())
async def test_no_health_breaks_a_page(alpha: FakeMember, beta: LiarsHealth, answer: bytes) -> None:
    async with running_federation([alpha, beta]) as server:
        beta.answer = answer
        seen = beta.probes["/health"]

        async def was_probed() -> bool:
            return beta.probes["/health"] > seen + 7  # enough to be down, and an incident

        await eventually(was_probed, what="beta's health to be seen")
        await server.context.history.turn()
        await pages_are_there(server)
        beta.answer = LiarsHealth.answer
        await server.context.history.turn()
        await pages_are_there(server)
