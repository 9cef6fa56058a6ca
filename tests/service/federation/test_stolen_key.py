"""Somebody else has a member's key: it is shut out, and the institution joins anew."""

from collections.abc import AsyncIterator

import pytest

from tests.support.fake_member import FakeMember
from tests.support.federation_server import SHA, FederationServer, running_federation
from tests.support.joining_member import JoiningMember


@pytest.fixture
async def newcomer() -> AsyncIterator[JoiningMember]:
    member = JoiningMember("uni-x")
    await member.start()
    yield member
    await member.stop()


async def invite(server: FederationServer) -> str:
    body = {"name": "uni-x", "weight": 3}
    answer = await server.client.post("/api/admin/invitations", json=body)
    return str(answer.json()["token"])


async def test_one_order_revokes_and_invites(alpha: FakeMember, newcomer: JoiningMember) -> None:
    joining = {"test_repository": f"gh/owner/small/{SHA}", "first_pause_seconds": 0.2}
    async with running_federation([alpha], joining=joining) as server:
        client = server.client
        await newcomer.join(client, await invite(server))
        stolen, generation = newcomer.credential, newcomer.generation
        answer = await client.post(
            "/api/admin/members/uni-x/revoke",
            json={"reason": "its key was stolen", "reinvite": True},
        )
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert told["invitation"]["weight"] == 3
        thief = await newcomer.report(client)
        assert (thief.status_code, thief.json()["code"]) == (403, "member_revoked")
        await newcomer.join(client, told["token"])
        assert newcomer.credential != stolen
        assert newcomer.generation > generation
        assert (await newcomer.report(client)).status_code == 200
        ours, newcomer.credential = newcomer.credential, stolen
        assert (await newcomer.report(client)).status_code == 403, "the old key is no key"
        newcomer.credential = ours
        entries = (await client.get("/api/admin/audit")).json()["entries"]
        assert [each["action"] for each in entries].count("revoke") == 1


async def test_a_member_of_the_settings_has_no_invitation(alpha: FakeMember) -> None:
    async with running_federation([alpha]) as server:
        answer = await server.client.post(
            "/api/admin/members/alpha/revoke", json={"reason": "x", "reinvite": True}
        )
        assert answer.status_code == 400
        assert "settings" in answer.json()["advice"]
