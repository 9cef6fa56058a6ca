"""Images are made at members before anybody launches them: `/api/builds`."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from binder_federation.binder.events import Phase
from tests.support.eventually import eventually
from tests.support.fake_binderhub import FakeBinderHub
from tests.support.fake_member import Failure, FakeMember
from tests.support.federation_server import SHA, FederationServer, running_federation
from tests.support.redis_fixtures import fresh
from tests.support.redis_servers import RedisServer

SPEC = f"gh/owner/repository/{SHA}"
TOKEN = "a-token-of-the-continuous-integration"
TOKENS = {"tokens": [{"name": "ci", "token": TOKEN}]}
BY_CI = {"Authorization": f"Bearer {TOKEN}"}
FROM_AFAR = {"X-Forwarded-For": "192.0.2.7"}
"""Anybody, without a token: the tests' client is an operator otherwise."""


async def ask(federation: FederationServer, **body: Any) -> dict[str, Any]:
    answer = await federation.client.post("/api/builds", json={"spec": SPEC, **body})
    assert answer.status_code == 202, answer.text
    prebuild: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"/api/builds/{prebuild['id']}"
    return prebuild


async def wait(federation: FederationServer, prebuild: dict[str, Any]) -> dict[str, Any]:
    """The pre-build when it has ended."""
    found = prebuild

    async def has_ended() -> bool:
        nonlocal found
        found = (await federation.client.get(f"/api/builds/{prebuild['id']}")).json()
        return bool(found["state"] == "ended")

    await eventually(has_ended, what="the pre-build to end")
    return found


def by_member(prebuild: dict[str, Any]) -> dict[str, str]:
    return {part["member"]: part["outcome"] for part in prebuild["members"]}


async def test_an_image_is_made_at_all_members_and_found_there(
    federation: FederationServer, alpha: FakeMember, beta: FakeMember
) -> None:
    first = await wait(federation, await ask(federation, members="all"))
    again = await wait(federation, await ask(federation, members="all"))

    assert (first["outcome"], by_member(first)) == ("ready", {"alpha": "ready", "beta": "ready"})
    assert first["resolved_ref"] == SHA
    assert [part["was_there"] for part in first["members"]] == [False, False]
    assert [part["was_there"] for part in again["members"]] == [True, True]
    assert (alpha.builds.total(), beta.builds.total()) == (1, 1)
    assert not alpha.servers
    assert not beta.servers
    seen = await federation.launch(SPEC)
    assert Phase.BUILDING.value not in seen.phases, "the launch finds the image"


async def test_one_member_is_where_a_launch_would_go(
    federation: FederationServer, alpha: FakeMember, beta: FakeMember
) -> None:
    ended = await wait(federation, await ask(federation, members="one"))
    seen = await federation.launch(SPEC)

    assert ended["outcome"] == "ready"
    assert [part["member"] for part in ended["members"]] == [seen.last.fields["member"]]
    assert alpha.builds.total() + beta.builds.total() == 1


async def test_one_member_that_breaks_is_replaced(
    federation: FederationServer, alpha: FakeMember, beta: FakeMember
) -> None:
    for member in (alpha, beta):
        member.fail_next(Failure.RESET_AT_BUILDING)
    ended = await wait(federation, await ask(federation))

    assert [part["outcome"] for part in ended["members"]] == ["failed", "failed"]
    assert (ended["outcome"], ended["members"][0]["code"]) == ("failed", "member_unreachable")
    assert (await wait(federation, await ask(federation)))["outcome"] == "ready"


async def test_a_member_that_fails_stops_no_other(
    federation: FederationServer, alpha: FakeMember, beta: FakeMember
) -> None:
    alpha.fail_next(Failure.BUILD_FAILS)
    ended = await wait(federation, await ask(federation, members=["beta", "alpha", "beta"]))

    assert ended["outcome"] == "partly"
    assert by_member(ended) == {"beta": "ready", "alpha": "failed"}
    failed = ended["members"][1]
    assert (failed["code"], failed["fault"]) == ("build_failed", "repository")
    assert "nosuchthing" in failed["message"]


async def test_members_that_cannot_are_named_with_the_reason(
    federation: FederationServer, alpha: FakeMember, beta: FakeMember
) -> None:
    said: list[tuple[FakeMember, dict[str, Any]]] = [
        (alpha, {"draining": True, "load": {"capacity": 1}}),
        (beta, {"load": {"capacity": 1, "can_build": False}}),
    ]
    for member, words in said:
        report = {
            "member": member.name,
            "session": "s1",
            "sequence": 0,
            "inventory": "whole",
            **words,
        }
        headers = {"Authorization": f"Bearer {member.credential}"}
        url = f"/api/members/{member.name}/report"
        await federation.client.post(url, json=report, headers=headers)
    ended = await wait(federation, await ask(federation, members="all"))

    assert ended["outcome"] == "failed"
    assert by_member(ended) == {"alpha": "skipped", "beta": "skipped"}
    assert "draining" in ended["members"][0]["message"]
    assert "no room for builds" in ended["members"][1]["message"]


async def test_a_repository_that_is_not_there_is_told_once(alpha: FakeMember) -> None:
    providers = {"github": {"api_url": "http://127.0.0.1:9"}, "timeout_seconds": 5}
    async with running_federation([alpha], providers=providers) as federation:
        ended = await wait(
            federation, await ask(federation, spec="gh/owner/repository/main", members="all")
        )

    assert (ended["outcome"], ended["members"]) == ("failed", [])
    assert ended["error"]["code"] == "provider_unavailable"


async def test_asking_twice_is_the_same_prebuild(
    federation: FederationServer, alpha: FakeMember, beta: FakeMember
) -> None:
    for member in (alpha, beta):
        member.hold(Phase.BUILDING)
    first = await ask(federation, members="all")
    second = await ask(federation, spec=f"/v2/{SPEC}/", members="all")
    other = await ask(federation, members=["alpha"])
    for member in (alpha, beta):
        member.go_on()
    await wait(federation, first)
    await wait(federation, other)
    later = await ask(federation, members="all")

    assert second["id"] == first["id"]
    assert len({first["id"], other["id"], later["id"]}) == 3


async def test_so_many_members_at_once_and_so_many_prebuilds(
    alpha: FakeMember, beta: FakeMember
) -> None:
    for member in (alpha, beta):
        member.hold(Phase.BUILDING)
    settings = {"most_at_once": 1, "most_under_way": 1}
    async with running_federation([alpha, beta], builds=settings) as federation:
        prebuild = await ask(federation, members="all")

        async def is_held() -> bool:
            return len(alpha.paths) + len(beta.paths) == 1

        await eventually(is_held, what="one member to be asked")
        body = {"spec": "gh/owner/other/HEAD", "members": "all"}
        refused = await federation.client.post("/api/builds", json=body)
        under_way = (await federation.client.get(f"/api/builds/{prebuild['id']}")).json()
        for member in (alpha, beta):
            member.go_on()
        ended = await wait(federation, prebuild)

    assert sorted(by_member(under_way).values()) == ["building", "waiting"]
    assert (refused.status_code, refused.json()["code"]) == (503, "too_many_builds")
    assert "Retry-After" in refused.headers
    assert ended["outcome"] == "ready"


@pytest.mark.parametrize(
    ("headers", "members", "anonymous", "status"),
    [
        (BY_CI, "all", False, 202),
        ({"Authorization": "Bearer wrong-but-long-enough"}, "one", True, 403),
        ({}, "one", True, 202),
        ({}, "all", True, 403),
        ({}, ["alpha"], True, 403),
        ({}, "one", False, 403),
    ],
)
async def test_who_may_have_images_made(
    alpha: FakeMember, headers: dict[str, str], members: Any, anonymous: bool, status: int
) -> None:
    settings = {**TOKENS, "anonymous": anonymous}
    async with running_federation([alpha], builds=settings) as federation:
        answer = await federation.client.post(
            "/api/builds",
            json={"spec": SPEC, "members": members},
            headers={**FROM_AFAR, **headers},
        )

    assert answer.status_code == status, answer.text
    assert TOKEN not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"spec": ""},
        {"spec": 7},
        {"spec": "gh/owner"},
        {"spec": "nosuch/a/b/c"},
        {"spec": SPEC, "members": "some"},
        {"spec": SPEC, "members": []},
        {"spec": SPEC, "members": ["nobody"]},
        {"spec": SPEC, "member": "alpha"},
        [],
    ],
)
async def test_a_body_that_cannot_be_used_is_refused(
    federation: FederationServer, body: Any
) -> None:
    answer = await federation.client.post("/api/builds", json=body)

    assert answer.status_code == 400, answer.text
    assert answer.json()["message"].endswith(".")


async def test_an_unknown_prebuild_is_404(federation: FederationServer) -> None:
    answer = await federation.client.get("/api/builds/nosuchbuild")

    assert (answer.status_code, answer.json()["code"]) == (404, "build_unknown")


async def test_any_replica_tells_of_it_and_knows_when_it_is_lost(
    alpha: FakeMember, redis_server: RedisServer
) -> None:
    redis = {"url": redis_server.url, "prefix": fresh(redis_server).prefix}
    alpha.hold(Phase.BUILDING)
    async with AsyncExitStack() as stack:
        first_stack = await stack.enter_async_context(AsyncExitStack())
        one = await first_stack.enter_async_context(running_federation([alpha], redis=redis))
        two = await stack.enter_async_context(running_federation([alpha], redis=redis))
        prebuild = await ask(one, members="all")
        elsewhere = (await two.client.get(f"/api/builds/{prebuild['id']}")).json()
        assert (elsewhere["state"], elsewhere["spec"]) == ("running", SPEC)
        alpha.go_on()
        ended = await wait(one, prebuild)
        await asyncio.gather(first_stack.aclose())
        after = (await two.client.get(f"/api/builds/{prebuild['id']}")).json()

    assert ended["outcome"] == after["outcome"] == "ready"


async def test_bans_and_the_rate_limit_hold_for_anybody(alpha: FakeMember) -> None:
    policy = {
        "rate_limit": {"launches": 1},
        "banned_specs": [{"pattern": "gh/banned/.*", "message": "Not this one."}],
    }
    async with running_federation([alpha], policy=policy, builds=TOKENS) as federation:

        async def post(spec: str, headers: dict[str, str]) -> httpx.Response:
            headers = {**FROM_AFAR, **headers}
            return await federation.client.post("/api/builds", json={"spec": spec}, headers=headers)

        banned = await post(f"gh/banned/repository/{SHA}", BY_CI)
        first = await post(SPEC, {})
        second = await post(SPEC, {})
        by_ci = [await post(SPEC, BY_CI) for _ in range(3)]

    assert (banned.status_code, banned.json()["message"]) == (403, "Not this one.")
    assert (first.status_code, second.status_code) == (202, 429)
    assert "Retry-After" in second.headers
    assert second.headers["x-ratelimit-remaining"] == "0"
    assert [answer.status_code for answer in by_ci] == [202] * 3


@pytest.mark.parametrize("is_api_only", [True, False])
async def test_a_binderhub_makes_images_where_it_may_and_its_refusal_is_told(
    alpha: FakeMember, is_api_only: bool
) -> None:
    hub = FakeBinderHub("hub", is_api_only=is_api_only)
    await hub.start()
    try:
        async with running_federation([alpha, hub]) as federation:
            ended = await wait(federation, await ask(federation, members="all"))
    finally:
        await hub.stop()

    assert by_member(ended) == {"alpha": "ready", "hub": "ready" if is_api_only else "failed"}
    assert ended["outcome"] == ("ready" if is_api_only else "partly")
    if not is_api_only:
        assert "enable_api_only_mode" in ended["members"][1]["message"], ended
