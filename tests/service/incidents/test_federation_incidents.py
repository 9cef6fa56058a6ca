"""Incidents of public Binders that must be non-events for the federation.

Each test is named by its incident's date, or number, and title. What concerns a
member alone is in test_agent_incidents.py.
"""

import asyncio
from collections import Counter

import pytest

from binder_federation.binder.events import Phase
from tests.support.eventually import eventually
from tests.support.fake_member import Failure, FakeMember
from tests.support.federation_server import FederationServer, running_federation

QUICK = {
    "probe_every_seconds": 0.2,
    "probe_timeout_seconds": 1.0,
    "misses_to_down": 1,
    "down_probe_max_seconds": 0.4,
    "recover_after_seconds": 0.3,
}


async def start(*members: FakeMember) -> None:
    for member in members:
        await member.start()


async def stop(*members: FakeMember) -> None:
    for member in members:
        await member.stop()


async def state_of(federation: FederationServer, name: str) -> str:
    members = (await federation.client.get("/api/members")).json()["members"]
    return str(next(member["state"] for member in members if member["name"] == name))


async def test_2018_02_20_hub_overload() -> None:
    """500 at once, room for 300: 300 get in, 200 are told that it is full, nobody failed."""
    members = [FakeMember("alpha", capacity=150), FakeMember("beta", capacity=150)]
    await start(*members)
    try:
        async with running_federation(members) as federation:
            seen = await asyncio.gather(
                *(federation.launch(f"gh/o/r{number % 50}/{'1' * 40}") for number in range(500))
            )
            metrics = (await federation.client.get("/metrics")).text
            states = [await state_of(federation, member.name) for member in members]
    finally:
        await stop(*members)

    ended = Counter(str(one.last.fields.get("code", "ready")) for one in seen)
    assert ended == {"ready": 300, "pod_quota": 200}
    assert 'outcome="member"' not in metrics, "a refusal is no failure"
    assert states == ["up", "up"]


@pytest.mark.parametrize("lost", ["alpha", "beta", "gamma"])
async def test_deploy_2863_any_member_can_vanish(lost: str) -> None:
    """A member whose packets are dropped: pages, health and launches go on without it."""
    members = [FakeMember(name) for name in ("alpha", "beta", "gamma")]
    await start(*members)
    try:
        async with running_federation(members, health=QUICK) as federation:
            gone = next(member for member in members if member.name == lost)
            gone.is_silent = True
            for path in ("/", "/health", "/about", "/api/members"):
                assert (await federation.client.get(path)).status_code == 200

            async def is_down() -> bool:
                return await state_of(federation, lost) == "down"

            await eventually(is_down, what=f"{lost} to be down")
            seen = [await federation.launch(f"gh/o/r{n}/{'1' * 40}") for n in range(9)]
    finally:
        await stop(*members)

    assert {one.last.phase for one in seen} == {Phase.READY}
    assert lost not in {one.last.fields["member"] for one in seen}
    assert {one.last.fields["attempt"] for one in seen} == {1}


async def test_2017_11_30_oom_proxy() -> None:
    """One member's hub answers 500 for a while: its visitors are served by the other."""
    alpha, beta = FakeMember("alpha"), FakeMember("beta")
    await start(alpha, beta)
    try:
        async with running_federation([alpha, beta]) as federation:
            alpha.fail_next(*[Failure.LAUNCH_FAILS] * 20)
            seen = await asyncio.gather(
                *(federation.launch(f"gh/o/r{number}/{'1' * 40}") for number in range(20))
            )
    finally:
        await stop(alpha, beta)

    assert {one.last.phase for one in seen} == {Phase.READY}
    assert {one.last.fields["member"] for one in seen} == {"beta"}


async def test_deploy_3602_green_panel_on_a_dead_member() -> None:
    """Every state of a member is written as 0 or 1, so none is left behind."""
    alpha = FakeMember("alpha")
    await alpha.start()
    async with running_federation([alpha], health=QUICK) as federation:

        async def is_shown() -> bool:
            metrics = (await federation.client.get("/metrics")).text
            return 'binderfed_member_state{member="alpha",state="down"} 1.0' in metrics

        await alpha.stop()
        await eventually(is_shown, what="the metric to show alpha as down")
        metrics = (await federation.client.get("/metrics")).text
    lines = [line for line in metrics.splitlines() if line.startswith("binderfed_member_state{")]
    assert sum(line.endswith(" 1.0") for line in lines) == 1, "one state holds"
    assert 'binderfed_member_state{member="alpha",state="up"} 0.0' in metrics
