"""Quotas of the whole federation, over all members."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from binder_federation.binder.events import Phase
from tests.support.eventually import eventually
from tests.support.fake_member import CREDENTIAL, FakeMember
from tests.support.federation_server import SHA, FederationServer, Seen, running_federation

KEY = "gh/owner/repository"
PATH = f"{KEY}/{SHA}"
OTHER = f"gh/owner/other/{SHA}"
LATER = "f" * 40


async def report(server: FederationServer, member: str, repositories: Mapping[str, int]) -> None:
    """The member says that it has these sessions."""
    running = sum(repositories.values())
    body: dict[str, Any] = {
        "member": member,
        "session": "s",
        "sequence": 1,
        "load": {"capacity": 100, "running": running},
        "inventory": "whole",
        "repositories": dict(repositories),
    }
    answer = await server.client.post(
        f"/api/members/{member}/report",
        json=body,
        headers={"Authorization": f"Bearer {CREDENTIAL}"},
    )
    assert answer.status_code == 200, answer.text


def code(seen: Seen) -> str:
    return "ready" if seen.last.phase is Phase.READY else str(seen.last.fields["code"])


async def test_a_repositorys_sessions_at_all_members_count(
    alpha: FakeMember, beta: FakeMember
) -> None:
    quotas = {"sessions_per_repository": 10}
    async with running_federation([alpha, beta], policy={"quotas": quotas}) as server:
        await report(server, "alpha", {KEY: 6})
        await report(server, "beta", {KEY: 3, "gh/owner/other": 9})
        seen = [await server.launch(PATH), await server.launch(PATH), await server.launch(OTHER)]
        assert [code(each) for each in seen] == ["ready", "repo_quota", "ready"]
        assert (seen[1].status, seen[1].last.fields["status_code"]) == (429, 429)
        assert seen[1].last.fields["retry_after_seconds"] > 0
        head = await server.client.head(f"/build/{PATH}")
        assert head.status_code == 429


async def test_a_burst_does_not_exceed_a_quota(alpha: FakeMember, beta: FakeMember) -> None:
    quotas = {"sessions_per_repository": 10}
    async with running_federation([alpha, beta], policy={"quotas": quotas}) as server:
        seen = await asyncio.gather(*(server.launch(PATH) for _ in range(40)))
        codes = [code(each) for each in seen]
        assert (codes.count("ready"), codes.count("repo_quota")) == (10, 30)
        assert alpha.sessions + beta.sessions == 10


async def test_a_launch_that_failed_gives_its_place_back(alpha: FakeMember) -> None:
    async with running_federation(
        [alpha], policy={"quotas": {"sessions_per_repository": 1}}, launch={"attempts": 1}
    ) as server:
        await alpha.stop()
        assert code(await server.launch(PATH)) != "ready"
        await alpha.start()
        await server.wait_until_up("alpha")
        assert code(await server.launch(PATH)) == "ready"


async def test_maintenance_with_the_operators_words(alpha: FakeMember) -> None:
    quotas = {"sessions": 0, "message": "Back at noon."}
    async with running_federation([alpha], policy={"quotas": quotas}) as server:
        seen = await server.launch(PATH)
        assert (seen.status, code(seen), seen.last.message) == (429, "pod_quota", "Back at noon.\n")
        built = await server.launch(PATH, query="?build_only=true")
        assert code(built) == "ready", "images may be made ahead in maintenance"


async def test_all_sessions_of_the_federation(alpha: FakeMember, beta: FakeMember) -> None:
    async with running_federation([alpha, beta], policy={"quotas": {"sessions": 5}}) as server:
        await report(server, "alpha", {KEY: 2})
        await report(server, "beta", {"gh/owner/other": 2})
        assert code(await server.launch(PATH)) == "ready"
        assert code(await server.launch(OTHER)) == "pod_quota"


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ([{"pattern": "gh/owner/.*", "sessions": 0}], ["repo_quota"]),
        ([{"pattern": "gh/owner/.*", "sessions": 3}], ["ready"]),
        ([{"pattern": "GH/owner/.*", "sessions": 1}], ["ready", "repo_quota"]),
        (
            [{"pattern": "gh/owner/.*", "sessions": 2, "scope": "sum"}],
            ["ready", "ready", "repo_quota"],
        ),
    ],
)
async def test_quotas_of_patterns(
    alpha: FakeMember, patterns: list[dict[str, Any]], expected: list[str]
) -> None:
    """The second launch is of the same repository, the third of another one that matches."""
    quotas = {"sessions_per_repository": 2, "patterns": patterns}
    async with running_federation([alpha], policy={"quotas": quotas}) as server:
        paths = [PATH, PATH, OTHER][: len(expected)]
        assert [code(await server.launch(path)) for path in paths] == expected


async def test_an_event_has_its_quota_for_its_time(alpha: FakeMember) -> None:
    now = datetime.now(UTC)
    event = {"pattern": KEY, "sessions": 2}
    earlier, later = (now - timedelta(hours=1)).isoformat(), (now + timedelta(hours=1)).isoformat()
    over = {**event, "from": (now - timedelta(hours=2)).isoformat(), "until": earlier}
    for patterns, expected in (([{**event, "until": later}], "ready"), ([over], "repo_quota")):
        quotas = {"sessions_per_repository": 1, "patterns": patterns}
        async with running_federation([alpha], policy={"quotas": quotas}) as server:
            assert code(await server.launch(PATH)) == "ready"
            assert code(await server.launch(PATH)) == expected


async def test_builds_of_one_repository_are_limited_whoever_asks(
    alpha: FakeMember, beta: FakeMember
) -> None:
    """deploy #2905, #2870: two hundred refs of one repository."""
    quotas = {"builds_per_repository": 3}
    refs = [f"{number:040x}" for number in range(20)]
    async with running_federation([alpha, beta], policy={"quotas": quotas}) as server:
        for member in (alpha, beta):
            member.hold(Phase.BUILDING)
        async with asyncio.TaskGroup() as group:
            flood = [group.create_task(server.launch(f"{KEY}/{ref}")) for ref in refs]

            async def are_refused() -> bool:
                return sum(task.done() for task in flood) == len(refs) - 3

            await eventually(are_refused, what="all but three builds to be refused")
            refused = [task for task in flood if task.done()]
            assert {code(task.result()) for task in refused} == {"build_quota"}
            assert code(await server.launch(f"{KEY}/{LATER}")) == "build_quota"
            other = group.create_task(server.launch(OTHER))
            for member in (alpha, beta):
                member.go_on()
        assert [code(task.result()) for task in flood].count("ready") == 3
        assert code(other.result()) == "ready", "another repository is not concerned"
        assert code(await server.launch(f"{KEY}/{LATER}")) == "ready", "builds are over"
