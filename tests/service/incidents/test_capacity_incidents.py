"""Incidents of public Binders where many came at once, or one member was full at a bad moment.

Each test is named by its incident's date, or number, and title.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tests.support.eventually import eventually
from tests.support.fake_member import CREDENTIAL, Failure, FakeMember
from tests.support.federation_server import SHA, FederationServer, Seen, running_federation

CLASSES = ("gh/school/morning", "gh/school/evening")
PUPILS = 150
PLACES = 120
MORE_PLACES = 200


@asynccontextmanager
async def federation_of(*members: FakeMember, **settings: Any) -> AsyncIterator[FederationServer]:
    for member in members:
        await member.start()
    try:
        async with running_federation(members, **settings) as federation:
            yield federation
    finally:
        for member in members:
            await member.stop()


async def report(federation: FederationServer, member: FakeMember, sequence: int) -> None:
    """What an agent would say of this member now."""
    load = {"capacity": member.capacity, "running": member.sessions, "build_slots": 2}
    body = {"member": member.name, "session": "s1", "sequence": sequence, "load": load}
    answer = await federation.client.post(
        f"/api/members/{member.name}/report",
        json={**body, "inventory": "changes" if sequence else "whole"},
        headers={"Authorization": f"Bearer {CREDENTIAL}"},
    )
    assert answer.status_code == 200, answer.text


async def launch_all(federation: FederationServer, paths: Sequence[str]) -> list[Seen]:
    return list(await asyncio.gather(*(federation.launch(path) for path in paths)))


async def states(federation: FederationServer) -> set[str]:
    members = (await federation.client.get("/api/members")).json()["members"]
    return {member["state"] for member in members}


async def test_2020_07_09_two_classes_at_once() -> None:
    """Each has its usual place, which is too small for it until it grows; the rest overflows.

    Everybody gets a notebook, nine of ten at the first member that is asked.
    """
    members = [FakeMember(name, capacity=PLACES) for name in ("alpha", "beta", "gamma")]
    async with federation_of(*members) as federation:
        for member in members:
            await report(federation, member, 0)
        waves = 10
        seen: list[Seen] = []
        for wave in range(1, waves + 1):
            if wave == waves - 2:  # the cluster has found new nodes
                members[0].capacity = MORE_PLACES
            paths = [f"{one}/{SHA}" for one in CLASSES for _ in range(PUPILS // waves)]
            seen += await launch_all(federation, paths)
            for member in members:
                await report(federation, member, wave)
        told = await states(federation)
        metrics = (await federation.client.get("/metrics")).text

    ended = Counter(str(one.last.fields.get("code", one.last.phase)) for one in seen)
    assert ended == {"ready": 2 * PUPILS}
    at_once = sum(one.last.fields["attempt"] == 1 for one in seen)
    assert at_once >= 0.9 * len(seen), f"{at_once} of {len(seen)} at the first member"
    assert told == {"up"}, "a full member is not unwell"
    counted = sum(
        float(line.rsplit(" ", 1)[1])
        for line in metrics.splitlines()
        if line.startswith("binderfed_launches_total{") and 'first_attempt="yes"' in line
    )
    assert counted == at_once, "the first attempts' success is measured"


async def test_2022_01_27_prime_version() -> None:
    """All members are upgraded one after the other, one of them is full: nobody is left out.

    No member's version is the right one: what counts is the protocol they speak.
    """
    members = [FakeMember(name) for name in ("alpha", "beta", "gamma")]
    members[0].capacity = members[0].sessions = 10
    async with federation_of(*members) as federation:
        for upgraded in range(1, len(members) + 1):
            members[upgraded - 1].version = "2.0"
            for member in members:
                await report(federation, member, upgraded - 1)
                await _is_probed(member)
            paths = [f"gh/owner/r{upgraded}-{number}/{SHA}" for number in range(20)]
            seen = await launch_all(federation, paths)
            assert {one.last.phase.value for one in seen} == {"ready"}
            assert {one.last.fields["member"] for one in seen} == {"beta", "gamma"}
            assert {one.last.fields["attempt"] for one in seen} == {1}
            assert await states(federation) == {"up"}


async def _is_probed(member: FakeMember) -> None:
    before = member.probes["/versions"]

    async def is_probed() -> bool:
        return member.probes["/versions"] > before + 1

    await eventually(is_probed, what=f"{member.name}'s new version to be read")


async def test_deploy_2642_a_hub_that_restarts_again_and_again() -> None:
    """A hub fails for a while, is well, fails again: visitors go elsewhere meanwhile, and return.

    The federation asks it less often each time, so that it is not kept from coming back.
    """
    alpha, beta = FakeMember("alpha"), FakeMember("beta")
    # Minutes are tenths of a second here: how long it is left out, and how long a failure counts.
    health = {
        "probe_every_seconds": 60.0,
        "review_seconds": 0.05,
        "eject_seconds": 0.3,
        "success_memory_seconds": 1.0,
    }
    async with federation_of(alpha, beta, health=health) as federation:
        asked = []
        for outage in range(3):
            alpha.fail_next(*[Failure.LAUNCH_FAILS] * 1000)
            before = len(alpha.paths)
            for number in range(10):
                seen = await launch_all(
                    federation, [f"gh/owner/r{outage}-{number}-{n}/{SHA}" for n in range(4)]
                )
                assert {one.last.phase.value for one in seen} == {"ready"}
                assert {one.last.fields["member"] for one in seen} == {"beta"}
            asked.append(len(alpha.paths) - before)
            alpha._failures.clear()
            until = federation.context.monitor.health("alpha").ejected_until
            assert until is not None, "it was ejected"
            await asyncio.sleep(max(0.0, until - federation.context.clock()) + 0.1)
            await _comes_back(federation, outage)
    assert max(asked) <= 12, f"of 40 visitors in an outage, so many met the broken hub: {asked}"
    assert asked[-1] <= asked[0], f"each time fewer visitors meet the broken hub: {asked}"


async def _comes_back(federation: FederationServer, outage: int) -> None:
    """In slow start, so not for everybody at once."""
    number = itertools.count()

    async def gets_one() -> bool:
        seen = await federation.launch(f"gh/owner/back{outage}-{next(number)}/{SHA}")
        assert seen.last.phase.value == "ready"
        return bool(seen.last.fields["member"] == "alpha")

    await eventually(gets_one, what="alpha, which is well again, to get a launch")
