"""A hot image is prepared at further members before they are needed."""

from typing import Any

import httpx

from binder_federation.binder.spec import LaunchSpec
from tests.support.eventually import eventually
from tests.support.fake_member import CREDENTIAL, Failure, FakeMember
from tests.support.federation_server import SHA, FederationServer, running_federation

KEY = LaunchSpec("gh", "owner/repository", SHA).image_key(SHA)
QUICK = {"check_every_seconds": 0.1, "after_seconds": 0.0}


async def report_load(federation: FederationServer, *members: FakeMember, capacity: int) -> None:
    """An agent's report: without one nobody knows how many sessions a member takes."""
    for member in members:
        body: dict[str, Any] = {
            "member": member.name,
            "session": "s1",
            "sequence": 0,
            "load": {"capacity": capacity},
            "inventory": "whole",
        }
        answer = await federation.client.post(
            f"/api/members/{member.name}/report",
            json=body,
            headers={"Authorization": f"Bearer {CREDENTIAL}"},
        )
        assert answer.status_code == httpx.codes.OK


def builds(*members: FakeMember) -> list[int]:
    return sorted(member.builds.total() for member in members)


async def test_a_hot_image_is_built_ahead_at_the_other_member(
    alpha: FakeMember, beta: FakeMember
) -> None:
    async with running_federation([alpha, beta], copies=QUICK) as federation:
        await report_load(federation, alpha, beta, capacity=10)
        first = {(await federation.launch()).last.fields["member"] for _ in range(8)}
        assert len(first) == 1, "until the copy is there all go where the image is"

        async def is_copied() -> bool:
            facts = await federation.context.shared.store.facts(
                KEY, "gh/owner/repository", now=federation.context.clock()
            )
            return facts.holders.keys() == {"alpha", "beta"}

        await eventually(is_copied, what="the image to be at both members")
        assert builds(alpha, beta) == [1, 1]
        metrics = (await federation.client.get("/metrics")).text
        assert 'outcome="made"' in metrics


async def test_a_copy_that_fails_is_not_tried_again_and_again(
    alpha: FakeMember, beta: FakeMember
) -> None:
    async with running_federation([alpha, beta], copies=QUICK) as federation:
        await report_load(federation, alpha, beta, capacity=10)
        first = (await federation.launch()).last.fields["member"]
        other = beta if first == "alpha" else alpha
        other.fail_next(Failure.BUILD_FAILS, Failure.BUILD_FAILS)
        for _ in range(8):
            await federation.launch()

        async def has_failed() -> bool:
            return 'outcome="failed"' in (await federation.client.get("/metrics")).text

        await eventually(has_failed, what="the copy to be given up")
        for _ in range(3):
            await federation.context.copies.check()
        assert other.builds.total() == 1


async def test_an_image_that_few_ask_for_stays_where_it_is(
    alpha: FakeMember, beta: FakeMember
) -> None:
    async with running_federation([alpha, beta], copies=QUICK) as federation:
        await report_load(federation, alpha, beta, capacity=1000)
        for _ in range(5):
            await federation.launch()
        await federation.context.copies.check()
        assert builds(alpha, beta) == [0, 1]


async def test_those_who_come_together_cause_no_copy(alpha: FakeMember, beta: FakeMember) -> None:
    """They are all served before it could be there."""
    async with running_federation([alpha, beta]) as federation:
        await report_load(federation, alpha, beta, capacity=10)
        for _ in range(9):
            await federation.launch()
        await federation.context.copies.check()
        assert builds(alpha, beta) == [0, 1]
