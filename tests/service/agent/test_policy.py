"""What an agent tells of its sessions, and the bans that it is given."""

from collections.abc import AsyncIterator

import pytest

from binder_federation.binder.bans import make_member_policy
from binder_federation.binder.build_tokens import BuildClaims
from binder_federation.binder.messages import MemberPolicy, SpecBanRecord
from binder_federation.cluster_agent.core.quotas import REPORTED_REPOSITORIES, most_used
from tests.support.agent_server import PATH, running_agent
from tests.support.eventually import eventually
from tests.support.report_receiver import ReportReceiver

KEY = "gh/owner/repository"
FROM = BuildClaims(PATH, client_address="203.0.113.7", launch="1")


@pytest.fixture
async def receiver() -> AsyncIterator[ReportReceiver]:
    async with ReportReceiver() as server:
        yield server


async def test_sessions_are_reported_by_repository(receiver: ReportReceiver) -> None:
    async with running_agent(federation_url=receiver.url, report_every_seconds=0.05) as agent:
        assert (await receiver.report(1)).repositories == {}
        await agent.launch()
        await agent.launch()

        async def are_two() -> bool:
            return receiver.reports[-1].repositories == {KEY: 2}

        await eventually(are_two, what="a report of two sessions of the repository")


def test_no_report_names_more_repositories_than_it_may() -> None:
    many = {f"gh/owner/{number}": number for number in range(REPORTED_REPOSITORIES + 5)}
    told = most_used(many)
    assert len(told) == REPORTED_REPOSITORIES
    assert min(told.values()) == 5, "those with most sessions are told"


async def test_bans_are_in_force_once_they_came(receiver: ReportReceiver) -> None:
    bans = make_member_policy({"203.0.113.0/24": "Example"}, [], {})
    async with running_agent(federation_url=receiver.url, report_every_seconds=0.05) as agent:
        assert (await receiver.report(1)).policy_digest == ""
        receiver.policy = bans

        async def is_told_back() -> bool:
            return receiver.reports[-1].policy_digest == bans.digest

        await eventually(is_told_back, what="the agent to say that it has the bans")
        seen = await agent.launch(claims=FROM)
        assert (seen.status, seen.last.fields["code"]) == (200, "network_banned")
        assert seen.last.fields["fault"] == "request", "no failure of the member"
        assert agent.stack.builder.plans == []
        assert (await agent.launch(claims=BuildClaims(PATH))).phases[-1] == "ready"


async def test_bans_that_cannot_be_read_change_nothing() -> None:
    good = make_member_policy({"203.0.113.0/24": "Example"}, [], {})
    bad = MemberPolicy(digest="bad", banned_specs=(SpecBanRecord(pattern="("),))
    async with running_agent() as agent:
        agent.context.policy.take(good)
        agent.context.policy.take(bad)
        assert agent.context.policy.digest == good.digest
        assert (await agent.launch(claims=FROM)).last.fields["code"] == "network_banned"
