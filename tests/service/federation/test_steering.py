"""Live orders in running federations: in force on all replicas, over restarts, without Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from binder_federation.binder.events import Phase
from binder_federation.binder.messages import LoadRecord, Report
from binder_federation.federation.steering.audit import Actor
from binder_federation.federation.steering.document import (
    BanOrder,
    DrainOrder,
    JoinedMember,
    QuotaOrder,
    SteeringDocument,
    WeightOrder,
    Word,
)
from binder_federation.federation.steering.store import SteeringUnavailable
from tests.support.eventually import eventually
from tests.support.fake_member import CREDENTIAL, FakeMember
from tests.support.federation_server import FederationServer, running_federation
from tests.support.redis_fixtures import fresh
from tests.support.redis_servers import RedisServer

OPS = Actor("ops")
BANNED = BanOrder(id="1", word=Word(by="ops", at=0), pattern="gh/owner/.*", message="Not this one.")
Pair = tuple[FederationServer, FederationServer]


def word(**changes: Any) -> Word:
    return Word(**{"by": "ops", "at": 0.0, **changes})


async def drain(server: FederationServer, name: str, *, until: float | None = None) -> None:
    order = DrainOrder(word=word(until=until), is_draining=True)
    await server.context.steering.change(
        lambda document: document.with_orders(name, drain=order),
        actor=OPS,
        action="drain",
        subject=name,
    )


async def ban(server: FederationServer, order: BanOrder = BANNED) -> SteeringDocument:
    return await server.context.steering.change(
        lambda document: document.with_ban(order), actor=OPS, action="ban", subject=order.id
    )


async def state(server: FederationServer, name: str) -> str:
    members = (await server.client.get("/api/members")).json()["members"]
    return next((str(each["state"]) for each in members if each["name"] == name), "none")


async def eventually_in(server: FederationServer, name: str, wanted: str) -> None:
    async def is_there() -> bool:
        return await state(server, name) == wanted

    await eventually(is_there, what=f"{name} to be {wanted} there")


async def eventually_refused(server: FederationServer) -> None:
    async def is_refused() -> bool:
        return (await server.client.get("/build/gh/owner/repository/main")).status_code == 403

    await eventually(is_refused, what="the ban to be in force")


@pytest.fixture
async def pair(
    alpha: FakeMember, beta: FakeMember, redis_server: RedisServer
) -> AsyncIterator[Pair]:
    redis = fresh(redis_server, background_deadline_seconds=1.0)
    async with AsyncExitStack() as stack:
        one, two = [
            await stack.enter_async_context(running_federation([alpha, beta], redis=redis))
            for _ in range(2)
        ]
        yield one, two


async def test_orders_hold_on_all_replicas(pair: Pair) -> None:
    one, two = pair
    await drain(one, "alpha")
    await ban(two)
    assert await state(one, "alpha") == "draining", "it holds at once where it was said"
    for server in pair:
        await eventually_in(server, "alpha", "draining")
        await eventually_refused(server)
    assert await state(two, "beta") == "up"
    assert [entry.action for entry in await one.context.steering.audit(5)] == ["ban", "drain"]


async def test_a_ban_is_in_the_answer_to_a_members_next_report(pair: Pair) -> None:
    """So it is at every member as soon as that has reported, to whichever replica."""
    one, two = pair
    await ban(one)
    await eventually_refused(two)
    report = Report(
        member="alpha",
        session="s",
        sequence=1,
        load=LoadRecord(capacity=5),
        inventory="whole",
        policy_digest="",
    )
    answer = await two.client.post(
        "/api/members/alpha/report",
        content=report.model_dump_json(),
        headers={"Authorization": f"Bearer {CREDENTIAL}"},
    )
    assert answer.status_code == 200, answer.text
    [banned] = answer.json()["policy"]["banned_specs"]
    assert (banned["pattern"], banned["message"]) == ("gh/owner/.*", "Not this one.")


async def test_a_revoked_member_is_told_so(pair: Pair) -> None:
    one, _ = pair
    await one.context.steering.change(
        lambda document: document.with_orders("alpha", revoked=word()),
        actor=OPS,
        action="revoke",
        subject="alpha",
    )
    for credential, code in ((CREDENTIAL, "member_revoked"), ("a-guessed-one-of-16", None)):
        answer = await one.client.post(
            "/api/members/alpha/report", headers={"Authorization": f"Bearer {credential}"}
        )
        assert answer.status_code == 403, answer.text
        assert (answer.json()["code"] == "member_revoked") is (code is not None)


async def test_changes_of_two_replicas_at_once_both_hold(pair: Pair) -> None:
    one, two = pair
    await asyncio.gather(drain(one, "alpha"), drain(two, "beta"))
    for server in pair:
        await eventually_in(server, "alpha", "draining")
        await eventually_in(server, "beta", "draining")


async def test_a_redis_that_lost_everything_gets_it_back(
    pair: Pair, redis_server: RedisServer
) -> None:
    one, two = pair
    await drain(one, "alpha")
    await eventually_in(two, "alpha", "draining")
    redis_server.flush()

    async def is_back() -> bool:
        with redis_server.client() as client:
            return bool(client.keys("*steering}"))

    await eventually(is_back, what="a replica to give the document back")
    await drain(two, "beta")
    await eventually_in(one, "beta", "draining")
    assert await state(one, "alpha") == "draining", "the change after the loss took it away"


async def test_without_redis_nothing_changes_and_all_stays(
    pair: Pair, redis_server: RedisServer
) -> None:
    one, _ = pair
    await drain(one, "alpha")
    redis_server.stop()
    with pytest.raises(SteeringUnavailable, match="What is in force stays"):
        await drain(one, "beta")
    assert (await state(one, "alpha"), await state(one, "beta")) == ("draining", "up")
    assert one.context.steering.current.revision == 1


async def test_orders_outlive_the_process(alpha: FakeMember, tmp_path: Path) -> None:
    steering = {"file": str(tmp_path / "steering.json")}
    async with running_federation([alpha], steering=steering) as server:
        await ban(server)
        await eventually_refused(server)
    async with running_federation([alpha], steering=steering) as server:
        answer = await server.client.get("/build/gh/owner/repository/main")
        assert answer.status_code == 403, "the ban was not in force from the first launch on"
        assert "Not this one." in answer.text
        assert [entry.by for entry in await server.context.steering.audit(5)] == ["ops"]


async def test_a_copy_on_disk_fills_an_empty_redis(
    alpha: FakeMember, redis_server: RedisServer, tmp_path: Path
) -> None:
    steering = {"file": str(tmp_path / "steering.json")}
    redis = fresh(redis_server)
    async with running_federation([alpha], redis=redis, steering=steering) as server:
        await ban(server)

        async def is_written() -> bool:
            return (tmp_path / "steering.json").exists()

        await eventually(is_written, what="the copy to be written")
    redis_server.flush()
    async with running_federation([alpha], redis=redis, steering=steering) as server:
        assert (await server.client.get("/build/gh/owner/repository/main")).status_code == 403


async def test_an_order_ends_by_itself(alpha: FakeMember, beta: FakeMember) -> None:
    async with running_federation([alpha, beta]) as server:
        now = server.context.clock()
        await drain(server, "alpha", until=now + 2.0)
        await ban(server, BANNED.model_copy(update={"word": word(until=now + 2.0)}))
        assert await state(server, "alpha") == "draining"
        await eventually_in(server, "alpha", "up")

        async def is_launched() -> bool:
            return (await server.launch(until=Phase.READY)).last.phase is Phase.READY

        await eventually(is_launched, what="the ban to be over")


async def test_a_quota_for_an_event_holds_over_the_settings(alpha: FakeMember) -> None:
    policy = {"quotas": {"patterns": [{"pattern": "gh/owner/.*", "sessions": 100}]}}
    async with running_federation([alpha], policy=policy) as server:
        quota = QuotaOrder(id="1", word=word(), pattern="gh/owner/.*", sessions=0)
        await server.context.steering.change(
            lambda document: document.with_quota(quota), actor=OPS, action="quota", subject="1"
        )

        async def is_refused() -> bool:
            return (await server.client.get("/build/gh/owner/repository/main")).status_code == 429

        await eventually(is_refused, what="the live quota to be in force")


async def test_a_ramp_moves_by_itself(alpha: FakeMember, beta: FakeMember) -> None:
    async with running_federation([alpha, beta], each_member={"weight": 10.0}) as server:
        now = server.context.clock()
        order = WeightOrder(
            word=word(),
            weight=10.0,
            over=10.0,
            from_weight=1.0,
            begins_at=now,
            ends_at=now + 2.0,
        )
        await server.context.steering.change(
            lambda document: document.with_orders("alpha", weight=order),
            actor=OPS,
            action="ramp",
            subject="alpha",
        )

        async def weight() -> float:
            member = server.context.roster.get("alpha")
            assert member is not None
            return member.weight

        async def is_done() -> bool:
            return await weight() == 10.0

        assert await weight() < 10.0
        await eventually(is_done, what="the ramp to end")


async def test_a_member_comes_is_admitted_and_goes(alpha: FakeMember, beta: FakeMember) -> None:
    """Of a member that is not in the settings: all that a member's name is kept for."""
    async with running_federation([alpha], launch={"mode": "redirect"}) as server:
        steering = server.context.steering
        joined = JoinedMember(name="beta", url=beta.settings["url"], joined_at=0.0)

        async def change(action: str, document: SteeringDocument) -> None:
            await steering.change(lambda _: document, actor=OPS, action=action, subject="beta")

        await change("join", steering.current.with_joined(joined))
        await eventually_in(server, "beta", "joining")
        page = await server.client.get("/")
        assert joined.url not in page.headers["content-security-policy"], "it is not admitted"

        async def is_probed() -> bool:
            return server.context.monitor.health("beta").probed.is_well

        await eventually(is_probed, what="the joining member to be probed")
        fleet = server.context.fleet.snapshot(now=server.context.clock())
        assert fleet.by_name["beta"].is_joining
        admitted = joined.model_copy(update={"admitted_at": server.context.clock()})
        await change("admit", steering.current.with_joined(admitted))
        await eventually_in(server, "beta", "recovering")
        page = await server.client.get("/")
        assert joined.url in page.headers["content-security-policy"], "pages may not go there"
        await change("revoke", steering.current.with_orders("beta", revoked=word()))
        assert await state(server, "beta") == "none"
        metrics = (await server.client.get("/metrics")).text
        assert 'member="beta"' not in metrics, "a dead member stays green"
        assert 'binderfed_member_state{member="alpha"' in metrics
        page = await server.client.get("/")
        assert joined.url not in page.headers["content-security-policy"]


async def test_git_is_the_newer_word_after_a_restart(alpha: FakeMember, tmp_path: Path) -> None:
    steering = {"file": str(tmp_path / "steering.json")}
    order = WeightOrder(word=word(), weight=2.0, over=1.0)
    async with running_federation([alpha], steering=steering) as server:
        await server.context.steering.change(
            lambda document: document.with_orders("alpha", weight=order),
            actor=OPS,
            action="weight",
            subject="alpha",
        )
    for weight, found in ((1.0, 2.0), (5.0, 5.0), (1.0, 1.0)):  # the last: it is gone for good
        async with running_federation(
            [alpha], steering=steering, each_member={"weight": weight}
        ) as server:
            member = server.context.roster.get("alpha")
            assert member is not None
            assert member.weight == found, f"with {weight} in the settings"
            audit = await server.context.steering.audit(1)
    assert [(entry.action, entry.by) for entry in audit] == [("overtaken", "federation")]
