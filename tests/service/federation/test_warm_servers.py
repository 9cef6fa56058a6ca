"""A member that tells of a warm server gets the launch that it is for."""

from typing import Any

import httpx

from binder_federation.binder.spec import LaunchSpec
from tests.support.fake_member import CREDENTIAL, FakeMember
from tests.support.federation_server import SHA, FederationServer

PATH = f"gh/owner/repository/{SHA}"
KEY = LaunchSpec("gh", "owner/repository", SHA).image_key(SHA)


async def report(federation: FederationServer, member: FakeMember, *, warm: int = 0) -> None:
    """Both members hold the image; `warm` servers of it wait."""
    body: dict[str, Any] = {
        "member": member.name,
        "session": "s1",
        "sequence": 0,
        "load": {"capacity": 50, "running": 5, "warm": warm},
        "warm": [{"key": KEY, "servers": warm}] if warm else [],
        "inventory": "whole",
        "images": [{"key": KEY, "repository": "gh/owner/repository"}],
    }
    answer = await federation.client.post(
        f"/api/members/{member.name}/report",
        json=body,
        headers={"Authorization": f"Bearer {CREDENTIAL}"},
    )
    assert answer.status_code == httpx.codes.OK, answer.text


async def explain(federation: FederationServer) -> dict[str, Any]:
    explanation: dict[str, Any] = (await federation.client.get(f"/api/admin/explain/{PATH}")).json()
    return explanation


async def test_a_launch_goes_where_a_server_waits_and_the_next_one_is_decided_anew(
    federation: FederationServer, alpha: FakeMember, beta: FakeMember
) -> None:
    await report(federation, alpha)
    await report(federation, beta)
    usual = (await explain(federation))["chosen"]
    other = beta if usual == "alpha" else alpha
    await report(federation, other, warm=1)

    before = await explain(federation)
    assert before["chosen"] == other.name, "not the usual place"
    chosen = before["members"][0]
    assert (chosen["tier"], chosen["seconds"]["spawn"]) == ("warm", 0.0)
    first = await federation.launch(PATH)
    assert first.last.fields["member"] == other.name
    assert "running already" in first.last.fields["reason_phrase"]

    after = await explain(federation)
    assert {each["tier"] for each in after["members"]} == {"node"}, "the launch took it"
    described = (await federation.client.get("/api/members")).json()["members"]
    loads = {each["name"]: each["load"] for each in described}
    assert loads[other.name]["warm"] == 1
    assert loads[usual]["warm"] == 0
