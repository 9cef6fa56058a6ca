"""An institution joins by invitation, and nobody joins or reports in another's name."""

import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from binder_federation.binder.joining import LEAVE_PATH
from binder_federation.federation.joining.invitations import make_invitation, revoke_invitation
from binder_federation.federation.joining.rotation import rotate
from binder_federation.federation.steering.audit import Actor
from binder_federation.federation.steering.document import SteeringDocument, Word
from tests.support.eventually import eventually
from tests.support.fake_member import FakeMember
from tests.support.federation_server import SHA, FederationServer, running_federation
from tests.support.joining_member import JoiningMember
from tests.support.redis_fixtures import fresh
from tests.support.redis_servers import RedisServer

REPOSITORY = f"gh/owner/small/{SHA}"
OPERATOR = Actor("ada")
SETTINGS = {
    "test_repository": REPOSITORY,
    "first_pause_seconds": 0.2,
    "most_pause_seconds": 0.2,
}


@asynccontextmanager
async def federation_of(
    *members: FakeMember, key: str = "", **settings: Any
) -> AsyncIterator[FederationServer]:
    joining = {**SETTINGS, "key": key} if key else SETTINGS
    async with running_federation(list(members), joining=joining, **settings) as server:
        yield server


@pytest.fixture
async def alpha() -> AsyncIterator[FakeMember]:
    member = FakeMember("alpha")
    await member.start()
    yield member
    await member.stop()


@pytest.fixture
async def federation(alpha: FakeMember) -> AsyncIterator[FederationServer]:
    async with federation_of(alpha) as server:
        yield server


@pytest.fixture
async def newcomer() -> AsyncIterator[JoiningMember]:
    member = JoiningMember("uni-x")
    await member.start()
    yield member
    await member.stop()


async def invite(
    federation: FederationServer, name: str = "uni-x", *, seconds: float = 3600.0
) -> str:
    """The token."""
    tokens: list[str] = []

    def edit(document: SteeringDocument) -> SteeringDocument:
        made, token = make_invitation(document, name, 10, seconds, OPERATOR, time.time())
        tokens.append(token)
        return made

    await federation.context.steering.change(edit, actor=OPERATOR, action="invite", subject=name)
    return tokens[-1]


async def revoke(federation: FederationServer, name: str) -> None:
    word = Word(by="ada", at=time.time(), reason="A test.")
    await federation.context.steering.change(
        lambda document: document.with_orders(name, revoked=word),
        actor=OPERATOR,
        action="revoke",
        subject=name,
    )


async def state_of(federation: FederationServer, name: str) -> str:
    members = (await federation.client.get("/api/members")).json()["members"]
    return next((str(each["state"]) for each in members if each["name"] == name), "none")


async def test_from_an_invitation_to_the_first_launch(
    federation: FederationServer, newcomer: JoiningMember
) -> None:
    client = federation.client
    reply = await newcomer.join(client, await invite(federation))
    assert (reply.name, reply.weight, reply.generation) == ("uni-x", 10, 1)
    assert (await newcomer.checks(client)).state == "waiting"
    assert await state_of(federation, "uni-x") == "joining"

    checks = await newcomer.wait_for(client, "admitted")
    assert all(check.ok for check in checks.checks), f"not everything is well: {checks}"
    assert len(checks.checks) == 7
    assert newcomer.ended_sessions == 1, "the test's session was not ended"

    async def is_in_slow_start() -> bool:
        return await state_of(federation, "uni-x") == "recovering"

    await eventually(is_in_slow_start, what="the new member's slow start")
    entries = await federation.context.steering.audit(10)
    assert [entry.action for entry in entries] == ["admit", "join", "invite"]


async def test_a_proxy_that_holds_streams_back_is_found_and_mended(
    federation: FederationServer, newcomer: JoiningMember
) -> None:
    newcomer.is_buffering = True
    await newcomer.join(federation.client, await invite(federation))
    checks = await newcomer.wait_for(federation.client, "failed")
    stream = next(check for check in checks.checks if check.name == "Event stream")
    assert stream.ok is False
    assert "holds them back" in stream.message
    assert "proxy_buffering off" in stream.advice
    told = (await federation.client.get("/api/members")).json()["members"][-1]["joining"]
    assert told["state"] == "failed", "an operator sees nothing of it"
    for number in range(5):
        assert (await federation.launch(f"gh/owner/r{number}/{SHA}")).last.phase == "ready"
    assert newcomer.paths == [], "it got a launch before it was admitted"
    newcomer.is_buffering = False
    answer = await newcomer.request(federation.client, "POST")
    assert (answer.status_code, answer.json()["state"]) == (202, "checking")
    await newcomer.wait_for(federation.client, "admitted")


async def test_a_hub_that_browsers_do_not_reach_is_found(
    federation: FederationServer, newcomer: JoiningMember
) -> None:
    newcomer.session_status = 404
    await newcomer.join(federation.client, await invite(federation))
    checks = await newcomer.wait_for(federation.client, "failed")
    assert checks.checks[-1].ok is False
    assert "status 404" in checks.checks[-1].message


async def test_an_invitation_is_used_once(
    federation: FederationServer, newcomer: JoiningMember
) -> None:
    client, token = federation.client, await invite(federation)
    first = await newcomer.join(client, token)
    again = await newcomer.join(client, token)
    assert again == first, "the same agent gets the answer again that it may have lost"
    other = await newcomer.ask_to_join(client, token, agent_id="another-agents-id-012345")
    assert (other.status_code, other.json()["code"]) == (403, "invitation_not_valid")
    assert "used already" in other.json()["message"]


@pytest.mark.parametrize("why", ["expired", "taken back", "no such invitation", "forged"])
async def test_other_invitations_are_refused(
    federation: FederationServer, newcomer: JoiningMember, why: str
) -> None:
    token = await invite(federation, seconds=-1 if why == "expired" else 3600)
    if why == "taken back":
        which = token.removeprefix("bfi_").partition(".")[0]
        await federation.context.steering.change(
            lambda document: revoke_invitation(document, which, time.time()),
            actor=OPERATOR,
            action="revoke_invitation",
            subject=which,
        )
    if why == "no such invitation":
        token = f"bfi_other.{token.partition('.')[2]}"
    if why == "forged":
        token, why = f"{token}x", "no such invitation"
    answer = await newcomer.ask_to_join(federation.client, token)
    assert (answer.status_code, answer.json()["code"]) == (403, "invitation_not_valid")
    assert why in answer.json()["message"]
    assert await state_of(federation, "uni-x") == "none"


async def test_a_name_and_an_address_are_one_members(
    federation: FederationServer, alpha: FakeMember, newcomer: JoiningMember
) -> None:
    client = federation.client
    of_settings = await newcomer.ask_to_join(client, await invite(federation, "alpha"))
    assert (of_settings.status_code, of_settings.json()["code"]) == (409, "member_exists")
    token, second = await invite(federation), await invite(federation, "uni-y")
    taken = await newcomer.ask_to_join(client, token, url=alpha.url)
    assert (taken.status_code, taken.json()["code"]) == (409, "address_taken")
    await newcomer.join(client, token)
    twice = await newcomer.ask_to_join(client, second)
    assert (twice.status_code, twice.json()["code"]) == (409, "address_taken")


async def test_a_report_is_its_members_own(
    federation: FederationServer, newcomer: JoiningMember
) -> None:
    """Signed by another one, or telling of another one: nothing of that one changes."""
    client, store = federation.client, federation.context.shared.store
    await newcomer.join(client, await invite(federation))
    images = [{"key": "1" * 32, "repository": "gh/o/r"}]
    to_other = await newcomer.send(client, newcomer.make_report(member="alpha"), to="alpha")
    of_other = await newcomer.send(client, newcomer.make_report(member="alpha", images=images))
    bare = await newcomer.send(client, newcomer.make_report(), bearer=newcomer.credential)
    unsigned = await newcomer.send(client, newcomer.make_report(), bearer="x" * 40)
    assert [each.status_code for each in (to_other, of_other, bare, unsigned)] == [403] * 4
    assert "signs its reports" in bare.json()["message"]
    assert federation.context.reports.load("alpha", now=time.time()) is None
    own = await newcomer.report(client, images=images)
    assert own.status_code == 200
    counts = [await store.image_count(name) for name in ("alpha", "uni-x")]
    assert counts == [0, 0], "nothing of a member counts before it is admitted"
    await newcomer.wait_for(client, "admitted")
    await newcomer.report(client, images=images)
    counts = [await store.image_count(name) for name in ("alpha", "uni-x")]
    assert counts == [0, 1], "a member's images are its own alone"


async def test_no_report_is_taken_twice(
    federation: FederationServer, newcomer: JoiningMember
) -> None:
    client = federation.client
    await newcomer.join(client, await invite(federation))
    first = newcomer.make_report()
    assert (await newcomer.send(client, first)).status_code == 200
    second = newcomer.make_report()
    assert (await newcomer.send(client, second)).status_code == 200
    for old in (first, second):
        again = await newcomer.send(client, old)
        assert (again.status_code, again.json()["code"]) == (409, "report_replayed")
    newcomer.session, newcomer.sequence = "second", 0
    assert (await newcomer.report(client)).status_code == 200
    before = await newcomer.send(client, first)
    assert (before.status_code, before.json()["code"]) == (409, "report_replayed")


async def test_a_clock_that_is_off_is_told(
    federation: FederationServer, newcomer: JoiningMember
) -> None:
    await newcomer.join(federation.client, await invite(federation))
    report = newcomer.make_report()
    body = report.model_dump_json().encode()
    late = newcomer.sign(report, body, now=time.time() - 600)
    answer = await newcomer.send(federation.client, report, bearer=late)
    assert (answer.status_code, answer.json()["code"]) == (403, "clock_off")
    assert re.search(r"6\d\d seconds behind", answer.json()["message"]), answer.text


async def test_a_credential_is_replaced_while_reports_go_on(
    federation: FederationServer, newcomer: JoiningMember
) -> None:
    client, steering = federation.client, federation.context.steering
    await newcomer.join(client, await invite(federation))
    old = newcomer.credential
    await steering.change(
        lambda document: rotate(document, "uni-x", now=time.time(), grace_seconds=600),
        actor=OPERATOR,
        action="rotate",
        subject="uni-x",
    )
    member = federation.context.roster.get("uni-x")
    assert member is not None
    assert member.credential == old, "build tokens are signed with what the agent has"
    assert (await newcomer.report(client)).status_code == 200
    assert newcomer.credential != old, "the answer brought no new credential"
    assert newcomer.generation == 2
    assert (await newcomer.report(client)).status_code == 200

    async def is_over() -> bool:
        now = federation.context.roster.get("uni-x")
        return now is not None and (now.credential, now.old_credentials) == (
            newcomer.credential,
            (),
        )

    await eventually(is_over, what="the old credential to be refused")
    newcomer.credential = old
    assert (await newcomer.report(client)).status_code == 403


async def test_who_was_revoked_comes_back_by_invitation_alone(
    federation: FederationServer, newcomer: JoiningMember
) -> None:
    client = federation.client
    await newcomer.join(client, await invite(federation))
    assert (await newcomer.report(client)).status_code == 200
    await revoke(federation, "uni-x")
    refused = await newcomer.report(client)
    assert (refused.status_code, refused.json()["code"]) == (403, "member_revoked")
    old = newcomer.credential
    reply = await newcomer.join(client, await invite(federation))
    assert reply.generation == 2
    newcomer.session = "second"
    assert (await newcomer.report(client)).status_code == 200
    newcomer.credential = old
    assert (await newcomer.report(client)).status_code == 403, "the revoked credential works"


async def test_a_member_leaves_when_its_sessions_have_ended(
    federation: FederationServer, newcomer: JoiningMember
) -> None:
    client = federation.client
    await newcomer.join(client, await invite(federation))
    await newcomer.wait_for(client, "admitted")
    assert (await newcomer.request(client, "POST", LEAVE_PATH)).status_code == 202
    assert await state_of(federation, "uni-x") == "draining"
    await newcomer.report(client, load={"capacity": 100, "running": 1})
    assert await state_of(federation, "uni-x") == "draining"

    async def is_gone() -> bool:
        await newcomer.report(client)
        return await state_of(federation, "uni-x") == "none"

    await eventually(is_gone, what="the member to be gone", within_seconds=30)
    assert (await newcomer.report(client)).json()["code"] == "member_revoked"


async def test_replicas_know_a_member_that_joined_at_another_one(
    alpha: FakeMember, newcomer: JoiningMember, redis_server: RedisServer
) -> None:
    """It joins at one and reports to both by turns; the checks are made once."""
    redis = fresh(redis_server, background_deadline_seconds=2.0)
    async with AsyncExitStack() as stack:
        one, two = [
            await stack.enter_async_context(
                federation_of(alpha, key="a key for credentials of members", redis=redis)
            )
            for _ in range(2)
        ]
        await newcomer.join(one.client, await invite(one))

        async def is_known() -> bool:
            return two.context.roster.get("uni-x") is not None

        await eventually(is_known, what="the other replica to know the member")

        async def is_admitted() -> bool:
            answers = [await newcomer.report(each.client) for each in (one, two)]
            assert [each.status_code for each in answers] == [200, 200], answers[-1].text
            return all([(await newcomer.checks(e.client)).state == "admitted" for e in (one, two)])

        await eventually(is_admitted, what="it to be admitted everywhere", within_seconds=60)
        assert len(newcomer.paths) == 1, "both replicas made the checks"


async def test_nothing_secret_is_kept_or_told(
    federation: FederationServer, newcomer: JoiningMember, caplog: pytest.LogCaptureFixture
) -> None:
    token = await invite(federation)
    reply = await newcomer.join(federation.client, token)
    await newcomer.report(federation.client)
    kept = federation.context.steering.current.model_dump_json()
    secrets = (token.partition(".")[2], reply.credential.get_secret_value())
    told = kept + caplog.text + (await federation.client.get("/api/members")).text
    assert not any(secret in told for secret in secrets)
