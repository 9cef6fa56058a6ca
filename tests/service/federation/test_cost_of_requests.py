"""No public GET costs the event loop more than some milliseconds, however large the federation is.

What is measured is this thread's own CPU time, the least of several, with the cost of the client
taken off: a busy machine changes nothing about it.
"""

import gc
import time
from collections.abc import AsyncIterator

import httpx
import pytest_asyncio
from aiohttp import web

from binder_federation.config.federation import FederationSettings
from binder_federation.federation.app import create_app
from binder_federation.runtime.serving import Runner, listen
from binder_federation.runtime.tls import known_authorities
from tests.support.fake_member import CREDENTIAL

MEMBERS = 100
MOST_SECONDS = 0.005
TRIES = 7
EXAMPLES = {
    "/v2/{path}": ["/v2/gh/owner/repository/HEAD", "/v2/git/" + "https%3A%2F%2Fx%2F" * 100],
    "/build/{path}": [],  # a launch
    "/preview/{path}": [],  # rendered apart
}


@pytest_asyncio.fixture
async def large() -> AsyncIterator[tuple[httpx.AsyncClient, web.Application]]:
    """A client of a federation of many members, which all have reported, and are down."""
    members = [
        {"name": f"m{number}", "url": f"http://127.0.0.1:9/{number}", "credential": CREDENTIAL}
        for number in range(MEMBERS)
    ]
    quiet = {"probe_every_seconds": 600.0, "probe_timeout_seconds": 1.0}
    app = await create_app(FederationSettings.model_validate({"members": members, "health": quiet}))
    runner = Runner(app, shutdown_seconds=0.1)
    await runner.setup()
    await listen(runner, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with httpx.AsyncClient(base_url=url, verify=known_authorities()) as client:
        for number in range(MEMBERS):
            report = {
                "member": f"m{number}",
                "session": "s",
                "sequence": 1,
                "load": {"capacity": 10},
                "inventory": "whole",
                "checks": [{"service": "Hub", "ok": True}] * 5,
            }
            answer = await client.post(
                f"/api/members/m{number}/report",
                json=report,
                headers={"Authorization": f"Bearer {CREDENTIAL}"},
            )
            assert answer.status_code == 200
        yield client, app
    await runner.cleanup()


async def cost_seconds(client: httpx.AsyncClient, path: str) -> float:
    least = float("inf")
    gc.disable()  # the garbage of other tests is not this request's
    try:
        for _ in range(TRIES):
            began_at = time.thread_time()
            await client.get(path)
            least = min(least, time.thread_time() - began_at)
    finally:
        gc.enable()
    return least


def public_paths(app: web.Application) -> list[str]:
    found = []
    for resource in app.router.resources():
        canonical = resource.canonical
        gets = any(route.method == "GET" for route in resource)
        if not gets or canonical.startswith(("/api/admin", "/api/join", "/build", "/preview")):
            continue
        found += EXAMPLES.get(canonical, [canonical.replace("{", "").replace("}", "")])
    return found


async def test_no_public_get_costs_much(large: tuple[httpx.AsyncClient, web.Application]) -> None:
    client, app = large
    usual = await cost_seconds(client, "/versions")
    costs = {path: await cost_seconds(client, path) - usual for path in public_paths(app)}
    assert len(costs) > 12, costs
    dear = {path: round(cost * 1000, 2) for path, cost in costs.items() if cost > MOST_SECONDS}
    assert not dear, f"milliseconds of the event loop's time: {dear}"
