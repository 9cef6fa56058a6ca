"""A member that runs an unmodified BinderHub: only its address is known, and that is enough."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from binder_federation.binder.events import Phase
from binder_federation.binder.messages import ImageRecord, Tier
from tests.support.agent_server import running_agent
from tests.support.eventually import eventually
from tests.support.fake_binderhub import FakeBinderHub
from tests.support.fake_member import Failure, FakeMember
from tests.support.federation_server import SHA, FederationServer, running_federation
from tests.support.fleets import Fleet, running_fleet

PATH = f"gh/owner/repository/{SHA}"
STREAM = {"Accept": "text/event-stream"}


@pytest.fixture
async def hub() -> AsyncIterator[FakeBinderHub]:
    member = FakeBinderHub("hub", pods_cache_seconds=0.0)
    await member.start()
    yield member
    await member.stop()


@pytest.fixture
async def federation(hub: FakeBinderHub) -> AsyncIterator[FederationServer]:
    async with running_federation([hub]) as server:
        yield server


async def load_of(federation: FederationServer, name: str = "hub") -> dict[str, Any] | None:
    members = (await federation.client.get("/api/members")).json()["members"]
    load: dict[str, Any] | None = next(m["load"] for m in members if m["name"] == name)
    return load


async def holders(federation: FederationServer, path: str) -> set[str]:
    context = federation.context
    spec = context.repositories.parse(path)
    key = spec.image_key(path.rpartition("/")[2])
    facts = await context.shared.store.facts(key, spec.affinity_key, now=context.clock())
    return set(facts.holders)


async def test_its_ready_is_passed_on_whole(
    federation: FederationServer, hub: FakeBinderHub
) -> None:
    seen = await federation.launch(PATH)

    said = ("token", "image", "repo_url", "binder_ref_url", "binder_request")
    assert seen.last.fields["url"] == f"{hub.url}/user/x/"
    assert all(seen.last.fields[field] for field in (*said, "binder_persistent_request"))
    assert seen.last.fields["binder_launch_host"] == f"{federation.url}/", "links lead here"
    pushed = [event.fields["progress"] for event in seen.events if "progress" in event.fields]
    assert pushed[0]["3c12"] == {"current": 4096, "total": 81920}


async def test_it_is_asked_as_by_a_proxy_and_gets_no_token(
    federation: FederationServer, hub: FakeBinderHub
) -> None:
    seen = await federation.launch(PATH)

    assert seen.last.phase is Phase.READY
    assert hub.paths == [PATH], "the resolved ref stands in the path, and there is no query"
    headers = {name.lower(): value for name, value in hub.headers[0].items()}
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert not {"authorization", "cookie", "last-event-id"} & headers.keys()


async def test_what_it_builds_and_finds_is_remembered(
    federation: FederationServer, hub: FakeBinderHub
) -> None:
    assert await holders(federation, PATH) == set()
    await federation.launch(PATH)

    assert await holders(federation, PATH) == {"hub"}
    again = await federation.launch(PATH)
    assert "already has this image" in again.last.fields["reason_phrase"]
    assert "Found built image" in "".join(event.message for event in again.events)


async def test_a_build_corrects_what_was_believed(
    federation: FederationServer, hub: FakeBinderHub
) -> None:
    """It sends no inventory: that an image was removed shows when it builds it again."""
    context = federation.context
    spec = context.repositories.parse(PATH)
    key = spec.image_key(SHA)
    record = ImageRecord(key=key, repository=spec.affinity_key, tier=Tier.NODE)
    await context.shared.store.note_image("hub", record, now=context.clock())
    hub.hold(Phase.BUILT)

    await federation.launch(PATH, until=Phase.BUILDING)

    async def is_corrected() -> bool:
        facts = await context.shared.store.facts(key, spec.affinity_key, now=context.clock())
        return not facts.holders and set(facts.building_since) == {"hub"}

    await eventually(is_corrected, what="the old fact to become a lease")
    hub.go_on()


async def test_its_pod_quota_is_its_room() -> None:
    hub = FakeBinderHub("hub", quota=12, pods_cache_seconds=60.0)
    await hub.start()
    hub.sessions = 3
    try:
        async with running_federation([hub], each_member={"pod_headroom": 2}) as federation:
            before = await load_of(federation)
            assert before is not None
            assert (before["capacity"], before["running"], before["pending"]) == (10, 3, 0)
            for number in range(4):
                await federation.launch(f"gh/owner/r{number}/{SHA}")
            after = await load_of(federation)
    finally:
        await hub.stop()
    assert after is not None
    assert after["pending"] == 4, "BinderHub counts once a minute; what was sent is added"


async def test_a_binderhub_without_a_quota_has_no_known_load(
    federation: FederationServer,
) -> None:
    assert await load_of(federation) is None
    members = (await federation.client.get("/api/members")).json()["members"]
    assert members[0]["kind"] == "binderhub"
    assert [check["service"] for check in members[0]["checks"]] == [
        "JupyterHub API",
        "Docker registry",
        "Pod quota",
    ]


async def test_a_full_one_is_well_and_left_out(hub: FakeBinderHub) -> None:
    hub.quota, hub.sessions = 3, 3
    agent = FakeMember("agent")
    await agent.start()
    try:
        async with running_federation([hub, agent]) as federation:
            seen = [await federation.launch(f"gh/o/r{number}/{SHA}") for number in range(5)]
            state = federation.context.monitor.health("hub").state.value
    finally:
        await agent.stop()
    assert {one.last.fields["member"] for one in seen} == {"agent"}
    assert hub.paths == [], "it is not even asked"
    assert state == "up"


@pytest.mark.parametrize("refusal", ["rate limit", "banned address", "full"])
async def test_a_refusal_goes_on_elsewhere_and_counts_against_nobody(refusal: str) -> None:
    async with running_fleet("binderhubs") as fleet, running_federation(fleet.members) as server:
        hub = fleet.usual
        assert isinstance(hub, FakeBinderHub)
        if refusal == "rate limit":
            hub.is_api_only = True  # without pages, so without tokens
            hub.limit_now("127.0.0.1")
        elif refusal == "banned address":
            hub.banned = {"127.0.0.1"}
        else:
            hub.fail_next(*[Failure.FULL] * 8)
        seen = [await server.launch(fleet.launch_path(f"r{number}")) for number in range(8)]
        health = server.context.monitor.health(hub.name)
        share = server.context.monitor.success_share(hub.name, server.context.clock())

    assert {one.last.phase for one in seen} == {Phase.READY}
    assert seen[0].last.fields["attempt"] == 2
    assert not health.is_ejected
    assert share == 1.0, "it is well, and only did not want these"


async def test_a_limit_with_a_known_load_is_not_run_into_again_and_again() -> None:
    async with running_fleet("binderhubs") as fleet:
        hub = fleet.usual
        assert isinstance(hub, FakeBinderHub)
        hub.quota = 90
        hub.is_api_only = True
        hub.limit_now("127.0.0.1")
        async with running_federation(fleet.members) as server:
            for number in range(6):
                seen = await server.launch(fleet.launch_path(f"r{number}"))
                assert seen.last.phase is Phase.READY
        assert len(hub.paths) == 1, "one that it refuses"


async def test_slow_health_is_no_miss() -> None:
    """It may ask its hub three times before it answers; an agent's health must be quick."""
    hub = FakeBinderHub("hub", health_seconds=0.4)
    await hub.start()
    health = {"probe_every_seconds": 0.1, "probe_timeout_seconds": 0.2}
    try:
        async with running_federation([hub], health=health) as federation:

            async def is_probed_often() -> bool:
                return hub.probes["/versions"] >= 4

            await eventually(is_probed_often, what="a few probes")
            assert federation.context.monitor.health("hub").misses == 0
    finally:
        await hub.stop()


async def test_keepalives_are_signs_of_life() -> None:
    hub = FakeBinderHub("hub", keepalive_seconds=0.1)
    await hub.start()
    hub.hold(Phase.BUILT)
    try:
        async with running_federation([hub], launch={"silence_seconds": 0.5}) as federation:
            first = await federation.launch(PATH, until=Phase.BUILDING)
            loop_seen = first.ids[-1]

            async def is_still_there() -> bool:
                await hub.wait_until_held()
                launch = federation.context.launches.find(loop_seen.partition(":")[0])
                assert launch is not None
                age = federation.context.clock() - launch.state.began_at
                assert not launch.failures, "it was not silent"
                return age > 1.0

            await eventually(is_still_there, what="twice the time of silence to go by")
            hub.go_on()
            rest = await federation.launch(PATH, headers={"Last-Event-ID": loop_seen})
    finally:
        await hub.stop()
    assert rest.last.phase is Phase.READY
    assert rest.last.fields["attempt"] == 1


async def test_a_visitor_who_leaves_is_not_told_to_it() -> None:
    hub = FakeBinderHub("hub")
    await hub.start()
    hub.hold(Phase.BUILT)
    launch = {"resume_seconds": 0.001}
    try:
        async with running_federation([hub], launch=launch) as federation:
            await federation.launch(PATH, until=Phase.BUILDING)

            async def is_given_up() -> bool:
                await federation.context.launches.tidy()
                return federation.context.launches.under_way == 0

            await eventually(is_given_up, what="the launch to be given up")
    finally:
        await hub.stop()
    assert not hub.refused_methods, "BinderHub knows no DELETE"


async def test_it_is_not_asked_for_an_image_alone_unless_it_takes_that() -> None:
    async with running_fleet("binderhubs") as fleet, running_federation(fleet.members) as server:
        seen = await server.launch(fleet.launch_path(), query="?build_only=true")

    assert seen.last.fields["member"] == "alpha", "the agent can"
    assert seen.last.fields["attempt"] == 1


@pytest.mark.parametrize("is_api_only", [True, False])
async def test_building_alone_at_a_binderhub(hub: FakeBinderHub, is_api_only: bool) -> None:
    hub.is_api_only = is_api_only
    takes = {"takes_build_only": is_api_only}
    async with running_federation([hub], each_member=takes) as federation:
        seen = await federation.launch(PATH, query="?build_only=true")

    if is_api_only:
        assert seen.last.phase is Phase.READY
        assert seen.last.fields["imageName"]
        assert not hub.servers
    else:
        assert seen.last.fields["code"] == "member_refused"
        assert "Building but not launching is not permitted" in seen.last.message


async def test_in_redirect_mode_browsers_go_there_without_a_token(hub: FakeBinderHub) -> None:
    async with running_federation([hub], launch={"mode": "redirect"}) as federation:
        answer = await federation.client.get(f"/build/{PATH}", headers=STREAM)
        async with httpx.AsyncClient() as browser:
            location = answer.headers["Location"]
            async with browser.stream("GET", location, headers=STREAM) as stream:
                lines = ""
                async for text in stream.aiter_text():
                    lines += text
                    if '"ready"' in lines:
                        break

    assert answer.status_code == 307
    assert location == f"{hub.url}/build/{PATH}"
    assert '"url": "' in lines


async def test_nobody_reports_as_a_binderhub(federation: FederationServer) -> None:
    for credential in ("no member has this credential", "x" * 40):
        answer = await federation.client.post(
            "/api/members/hub/report", json={}, headers={"Authorization": f"Bearer {credential}"}
        )
        assert answer.status_code == 401 or answer.status_code == 403


async def test_an_agent_that_fails_is_replaced_by_a_binderhub() -> None:
    async with (
        running_fleet("agent_among_binderhubs") as fleet,
        running_federation(fleet.members) as server,
    ):
        fleet.usual.fail_next(Failure.RESET_AT_BUILDING)
        seen = await server.launch(fleet.launch_path())

    assert seen.last.phase is Phase.READY
    assert seen.last.fields["member"] in ("beta", "gamma")


async def test_a_real_agent_and_two_binderhubs() -> None:
    """Each gets what is nearest there, and takes over for the others."""
    async with running_agent() as agent, running_fleet("agent_among_binderhubs") as hubs:
        alpha = FakeMember("alpha", port=urlsplit(agent.url).port or 0)  # its name and address
        members = (alpha, *hubs.others)
        fleet = Fleet(members, usual=alpha)
        async with running_federation(members) as server:
            path = fleet.launch_path()
            first = await server.launch(path)
            assert first.last.fields["member"] == "alpha", first.last
            for other in hubs.others:
                path = Fleet(members, usual=other).launch_path()
                await server.launch(path)
                again = await server.launch(path)
                assert again.last.fields["member"] in await holders(server, path)
            await agent.stop()
            for number in range(3):
                seen = await server.launch(fleet.launch_path(f"late{number}"))
                assert seen.last.fields["member"] in ("beta", "gamma")
