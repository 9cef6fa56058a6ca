"""Operators steer a real federation through `/api/admin`."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from hashlib import sha256
from typing import Any

import httpx
import pytest

from binder_federation.binder.events import Phase
from tests.support.eventually import eventually
from tests.support.fake_member import FakeMember
from tests.support.federation_server import SHA, FederationServer, running_federation
from tests.support.redis_fixtures import fresh
from tests.support.redis_servers import RedisServer

FULL = "the-token-of-those-who-may-do-everything"
DANA = "the-token-of-dana-who-steers-members"
ROBOT = "the-token-of-a-program-that-only-reads"
OLD = "a-token-that-was-good-until-last-year"
ADMIN = {
    "token": FULL,
    "tokens": [
        {"name": "dana", "token": DANA, "scopes": ["members", "read"]},
        {"name": "robot", "token_sha256": sha256(ROBOT.encode()).hexdigest(), "scopes": ["read"]},
        {"name": "gone", "token": OLD, "scopes": ["read"], "expires": "2020-01-01T00:00:00Z"},
    ],
}


@pytest.fixture
async def steered(alpha: FakeMember, beta: FakeMember) -> AsyncIterator[FederationServer]:
    async with running_federation([alpha, beta], admin=ADMIN) as running:
        yield running


async def send(
    federation: FederationServer,
    method: str,
    path: str,
    body: Any = None,
    *,
    token: str = FULL,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    return await federation.client.request(
        method,
        f"/api/admin/{path}",
        json=body,
        headers={"Authorization": f"Bearer {token}", **(headers or {})},
    )


async def in_force(federation: FederationServer, name: str) -> dict[str, Any]:
    steering = (await send(federation, "GET", "steering")).json()
    found: dict[str, Any] = next(each for each in steering["members"] if each["name"] == name)
    return found


async def shown(federation: FederationServer, name: str) -> dict[str, Any]:
    members = (await federation.client.get("/api/members")).json()["members"]
    found: dict[str, Any] = next(each for each in members if each["name"] == name)
    return found


async def test_a_weight_is_set_and_given_back(steered: FederationServer) -> None:
    given = await send(steered, "PUT", "members/alpha/weight", {"weight": 7, "for_seconds": 60})

    assert given.status_code == 200, given.text
    member = given.json()["member"]
    assert member["usual"]["weight"] == 1.0
    assert (member["weight"]["weight"], member["weight"]["by"]) == (7.0, "admin")
    assert member["weight"]["until"] == pytest.approx(time.time() + 60, abs=30)
    assert (await shown(steered, "alpha"))["weight"] == 7.0

    ended = await send(steered, "DELETE", "members/alpha/weight")

    assert ended.json()["member"]["weight"] is None
    assert (await shown(steered, "alpha"))["weight"] == 1.0


async def test_a_ramp_begins_at_the_weight_of_now(steered: FederationServer) -> None:
    body = {"to": 10, "over_seconds": 7200, "reason": "new disks"}
    given = (await send(steered, "PUT", "members/alpha/ramp", body)).json()["member"]

    assert given["weight"]["ramp"]["from"] == 1.0
    assert given["weight"]["ramp"]["ends_at"] - given["weight"]["ramp"]["begins_at"] == 7200
    assert 1.0 <= given["in_force"]["weight"] < 2.0


async def test_a_drained_member_gets_no_launches_until_it_is_undrained(
    steered: FederationServer, alpha: FakeMember, beta: FakeMember
) -> None:
    body = {"reason": "new disks", "for_seconds": 3600}
    drained = await send(steered, "PUT", "members/alpha/drain", body, token=DANA)

    assert drained.status_code == 200, drained.text
    assert (await shown(steered, "alpha"))["state"] == "draining"
    launched = await steered.launch(f"gh/owner/one/{SHA}")
    assert launched.last.fields["member"] == "beta", "a drained member got a launch"

    undrained = await send(steered, "DELETE", "members/alpha/drain", token=DANA)

    assert undrained.json()["member"]["drain"] is None
    assert (await shown(steered, "alpha"))["state"] == "up"


async def test_the_last_member_is_drained_by_force_only(steered: FederationServer) -> None:
    await send(steered, "PUT", "members/alpha/drain", {"reason": "first"})

    refused = await send(steered, "PUT", "members/beta/drain", {"reason": "and this"})
    forced = await send(steered, "PUT", "members/beta/drain", {"reason": "yes", "force": True})

    assert (refused.status_code, refused.json()["code"]) == (409, "last_member")
    assert forced.status_code == 200


async def test_a_revoked_member_is_none_and_comes_back_if_it_is_in_the_settings(
    steered: FederationServer,
) -> None:
    revoked = await send(steered, "POST", "members/alpha/revoke", {"reason": "left"})
    names = [each["name"] for each in (await steered.client.get("/api/members")).json()["members"]]
    weight = await send(steered, "PUT", "members/alpha/weight", {"weight": 2})
    back = await send(steered, "DELETE", "members/alpha/revoke")

    assert revoked.json()["member"]["in_force"]["revoked"] is True
    assert names == ["beta"]
    assert (weight.status_code, weight.json()["code"]) == (409, "order_conflict")
    assert back.json()["member"]["revoked"] is None


async def test_a_ban_holds_at_once_and_ends(steered: FederationServer) -> None:
    body = {"pattern": "^gh/miner/.*", "reason": "mines coins", "for_seconds": 600}
    given = await send(steered, "POST", "bans", body)
    again = await send(steered, "POST", "bans", {**body, "reason": "still"})
    refused = (await steered.launch(f"gh/miner/coins/{SHA}")).last
    ban = given.json()["ban"]
    ended = await send(steered, "DELETE", f"bans/{ban['id']}")

    assert (given.status_code, again.status_code) == (201, 200)
    assert again.json()["ban"]["id"] == ban["id"], "the same pattern twice is one ban"
    assert refused.fields["code"] == "spec_banned"
    assert ended.json()["bans"] == []
    assert (await steered.launch(f"gh/miner/coins/{SHA}")).last.phase is Phase.READY


async def test_an_events_quota_is_set_and_ended(steered: FederationServer) -> None:
    body = {"pattern": "gh/org/course", "sessions": 0, "for_seconds": 600}
    given = await send(steered, "POST", "quotas", body)
    full = (await steered.launch(f"gh/org/course/{SHA}")).last
    quota = given.json()["quota"]
    ended = await send(steered, "DELETE", f"quotas/{quota['id']}")

    assert given.status_code == 201, given.text
    assert full.fields["code"] == "repo_quota"
    assert ended.json()["quotas"] == []


UNCLEAR = [
    ("PUT", "members/nobody/weight", {"weight": 2}, 404, "no member of the name 'nobody'"),
    ("PUT", "members/alpha/weight", {"weight": 0}, 400, "weight: "),
    ("PUT", "members/alpha/weight", {"weight": 2, "wieght": 3}, 400, "wieght: "),
    ("PUT", "members/alpha/weight", {"weight": 2, "until": "2001-01-01"}, 400, "passed already"),
    ("PUT", "members/alpha/drain", {}, 400, "needs a reason"),
    ("PUT", "members/alpha/drain", {"reason": "a\nb"}, 400, "reason: "),
    ("POST", "members/alpha/revoke", {"reason": " "}, 400, "needs a reason"),
    ("DELETE", "members/alpha/revoke", None, 409, "alpha was not revoked"),
    ("POST", "bans", {"pattern": "gh/(", "reason": "x"}, 400, "no regular expression"),
    ("POST", "bans", {"pattern": ".*", "reason": "x"}, 400, "matches every repository of gh"),
    ("POST", "bans", {"network": "0.0.0.0/0", "reason": "x"}, 400, "nearly everybody"),
    ("POST", "bans", {"network": "nowhere", "reason": "x"}, 400, "is no network"),
    ("POST", "bans", {"reason": "x"}, 400, "either network or pattern"),
    ("DELETE", "bans/none", None, 404, "no ban with the id"),
    ("POST", "quotas", {"pattern": "a", "sessions": 3, "until": "2001-01-01"}, 400, "passed"),
    ("DELETE", "quotas/none", None, 404, "no quota with the id"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "sentence"), UNCLEAR)
async def test_what_cannot_be_meant_is_refused_with_a_sentence(
    steered: FederationServer, method: str, path: str, body: Any, status: int, sentence: str
) -> None:
    refused = await send(steered, method, path, body)

    assert (refused.status_code, refused.json()["code"]) != (500, "internal_error")
    assert refused.status_code == status, refused.text
    assert sentence in refused.json()["message"]
    assert (await send(steered, "GET", "steering")).json()["revision"] == 0, "something changed"


async def test_a_token_without_the_scope_is_told_which_it_needs(steered: FederationServer) -> None:
    refused = await send(steered, "PUT", "members/alpha/drain", {"reason": "x"}, token=ROBOT)
    explain = await send(steered, "GET", f"explain/gh/owner/one/{SHA}", token=ROBOT)
    read = await send(steered, "GET", "steering", token=ROBOT)
    expired = await send(steered, "GET", "steering", token=OLD)
    stranger = await send(steered, "GET", "steering", token="nobody-has-this-one")

    assert (refused.status_code, refused.json()["code"]) == (403, "scope_needed")
    assert "'members'" in refused.json()["message"]
    assert "'explain'" in explain.json()["message"]
    assert read.status_code == 200
    assert (expired.status_code, expired.json()["code"]) == (403, "admin_token_expired")
    assert (stranger.status_code, stranger.json()["code"]) == (403, "not_authorized")


async def test_the_audit_tells_who_did_what_when_why_and_until_when(
    steered: FederationServer,
) -> None:
    body = {"reason": "new disks", "for_seconds": 3600}
    await send(steered, "PUT", "members/alpha/drain", body, token=DANA)
    await send(steered, "POST", "bans", {"pattern": "gh/x/.*", "reason": "x"}, token=DANA)
    await send(steered, "PUT", "members/beta/drain", {"reason": "x"}, token="nobody-has-this")

    audit = await send(steered, "GET", "audit")
    latest = await send(steered, "GET", "audit?limit=1")
    refused = await send(steered, "GET", "audit", token=DANA)
    nonsense = await send(steered, "GET", "audit?limit=0")

    ban, drain = audit.json()["entries"]
    assert (drain["by"], drain["action"], drain["subject"]) == ("dana", "drain", "alpha")
    assert (drain["reason"], drain["revision"]) == ("new disks", 1)
    assert drain["until"] == pytest.approx(drain["at"] + 3600, abs=5)
    assert (ban["by"], ban["action"]) == ("dana", "ban")
    assert ban["detail"].startswith("refused (scope_needed)")
    assert latest.json()["entries"] == [ban]
    assert (refused.status_code, nonsense.status_code) == (403, 400)


async def test_a_change_for_an_old_revision_is_refused(steered: FederationServer) -> None:
    first = await send(steered, "PUT", "members/alpha/weight", {"weight": 2})
    match = {"If-Match": first.headers["ETag"]}
    second = await send(steered, "PUT", "members/alpha/weight", {"weight": 3}, headers=match)
    third = await send(steered, "PUT", "members/alpha/weight", {"weight": 4}, headers=match)

    assert second.status_code == 200
    assert (third.status_code, third.json()["code"]) == (412, "revision_changed")
    assert (await in_force(steered, "alpha"))["in_force"]["weight"] == 3.0


async def test_an_invitation_is_made_listed_and_taken_back(
    alpha: FakeMember, beta: FakeMember
) -> None:
    joining = {"key": "a-key-for-the-credentials-of-those-who-join"}
    async with running_federation([alpha, beta], admin=ADMIN, joining=joining) as federation:
        made = await send(federation, "POST", "invitations", {"name": "uni-x", "weight": 3})
        known = await send(federation, "POST", "invitations", {"name": "alpha"})
        listed = await send(federation, "GET", "invitations", token=ROBOT)
        ended = await send(federation, "DELETE", f"invitations/{made.json()['invitation']['id']}")
        rotated = await send(federation, "POST", "members/alpha/rotate", {})

    assert made.status_code == 201, made.text
    assert made.json()["token"].startswith("bfi_uni-x-")
    assert (known.status_code, known.json()["code"]) == (409, "member_exists")
    assert [each["state"] for each in listed.json()["invitations"]] == ["open"]
    assert made.json()["token"] not in listed.text
    assert "sha256" not in listed.text
    assert ended.json()["invitation"]["state"] == "revoked"
    assert (rotated.status_code, rotated.json()["code"]) == (409, "not_joined")


async def test_another_replica_and_the_next_one_hold_to_it(
    alpha: FakeMember, beta: FakeMember, redis_server: RedisServer
) -> None:
    redis = {"url": redis_server.url, "prefix": fresh(redis_server).prefix}
    settings: dict[str, Any] = {"admin": ADMIN, "redis": redis}
    members = [alpha, beta]
    async with AsyncExitStack() as stack:
        one, other = [
            await stack.enter_async_context(running_federation(members, **settings))
            for _ in range(2)
        ]
        await send(one, "PUT", "members/alpha/weight", {"weight": 7})
        await send(other, "PUT", "members/beta/weight", {"weight": 8})

        async def is_known() -> bool:
            return all(
                [
                    (await in_force(each, name))["in_force"]["weight"] == weight
                    for each in (one, other)
                    for name, weight in (("alpha", 7), ("beta", 8))
                ]
            )

        await eventually(is_known, what="both replicas to hold to both orders")
        keyless = await send(one, "POST", "invitations", {"name": "uni-x"})
    async with running_federation(members, **settings) as later:
        assert (await in_force(later, "alpha"))["in_force"]["weight"] == 7, "forgotten"
        entries = (await send(later, "GET", "audit")).json()["entries"]

    assert [entry["subject"] for entry in entries] == ["uni-x", "beta", "alpha"]
    assert entries[0]["detail"].startswith("refused (joining_is_off)")
    assert keyless.status_code == 503, "an invitation that nobody could use was made"
