"""What a visitor sees when a member fails under a launch: one stream, one line, a notebook.

All of it holds for agents and for BinderHubs, and for launches that go from one to the other.
"""

import asyncio
from collections import deque
from contextlib import AsyncExitStack

import pytest

from binder_federation.binder.events import Phase
from binder_federation.binder.messages import ImageRecord
from tests.support.eventually import eventually
from tests.support.fake_member import Failure, FakeMember
from tests.support.federation_server import SHA, FederationServer, running_federation
from tests.support.fleets import Fleet


async def test_a_launch_tells_member_attempt_reason_and_time_left(
    fleet: Fleet, federated: FederationServer
) -> None:
    seen = await federated.launch(fleet.launch_path())

    assert seen.status == 200
    assert seen.phases[-1] == "ready", seen.events
    ready = seen.last.fields
    assert ready["token"] == "secret"
    assert ready["url"].endswith("/user/x/")
    told = [event for event in seen.events if "member" in event.fields]
    assert {event.fields["member"] for event in told} == {fleet.usual.name}
    assert {event.fields["attempt"] for event in told} == {1}
    assert all(event.fields["reason_phrase"] for event in told)
    left = [event.fields["eta_seconds"] for event in told]
    assert left[-1] == 0
    assert left == sorted(left, reverse=True), f"the estimate must come down: {left}"


async def test_the_second_launch_goes_where_the_image_is(
    fleet: Fleet, federated: FederationServer
) -> None:
    path = fleet.launch_path()
    first = await federated.launch(path)
    second = await federated.launch(path)

    assert second.last.fields["member"] == first.last.fields["member"]
    assert "already has this image" in second.last.fields["reason_phrase"]
    assert fleet.built(path) == 1


@pytest.mark.parametrize(
    "failure",
    [
        Failure.STATUS_500,
        Failure.STATUS_403,
        Failure.RESET_AT_BUILDING,
        Failure.RESET_AT_LAUNCHING,
        Failure.CLOSE_EARLY,
        Failure.GARBAGE,
        Failure.LAUNCH_FAILS,
        Failure.FULL,
    ],
)
async def test_a_member_that_fails_is_replaced_within_the_stream(
    fleet: Fleet, federated: FederationServer, failure: Failure
) -> None:
    fleet.usual.fail_next(failure)

    seen = await federated.launch(fleet.launch_path())

    assert seen.last.phase is Phase.READY, seen.last
    assert seen.last.fields["member"] in {member.name for member in fleet.others}
    assert seen.last.fields["attempt"] == 2
    lines = [event.message for event in seen.events if event.fields.get("failover")]
    assert len(lines) == 1, "exactly one line tells of the change"
    assert f"Going on at {seen.last.fields['member']}." in lines[0]
    assert "failed" not in seen.phases


async def test_a_member_that_falls_silent_is_replaced_within_the_stream(fleet: Fleet) -> None:
    async with running_federation(fleet.members, launch={"silence_seconds": 1.0}) as federation:
        fleet.usual.fail_next(Failure.SILENT)

        seen = await federation.launch(fleet.launch_path())

    assert seen.last.phase is Phase.READY
    assert seen.last.fields["member"] != fleet.usual.name
    lines = [event.message for event in seen.events if event.fields.get("failover")]
    assert len(lines) == 1, "exactly one line tells of the change"
    assert "silent" in lines[0]


async def test_a_repository_that_does_not_build_is_told_once(
    fleet: Fleet, federated: FederationServer
) -> None:
    for member in fleet.members:
        member.fail_next(Failure.BUILD_FAILS)

    seen = await federated.launch(fleet.launch_path())

    assert seen.last.phase is Phase.FAILED
    assert seen.last.fields["fault"] == "repository"
    assert "nosuchthing" in seen.last.message
    assert fleet.asked() == 2, "one member's word is not enough"
    assert seen.last.fields["attempt"] == 1
    assert sum("to be sure" in event.message for event in seen.events) == 1
    for member in fleet.members:
        member.fail_next(Failure.BUILD_FAILS)

    again = await federated.launch(fleet.launch_path())

    assert again.last.fields["fault"] == "repository"
    assert fleet.asked() == 3, "two members have said so: it holds for this ref"


@pytest.mark.parametrize("second", [Failure.FULL, Failure.STATUS_500, Failure.LAUNCH_FAILS])
async def test_who_cannot_say_is_no_second_opinion(second: Failure) -> None:
    """Whoever is asked first blames the repository, the second has a failure of its own."""
    in_this_order = deque([Failure.BUILD_FAILS, second])
    members = [FakeMember(name, _failures=in_this_order) for name in ("alpha", "beta", "gamma")]
    async with AsyncExitStack() as stack:
        for member in members:
            await member.start()
            stack.push_async_callback(member.stop)
        server = await stack.enter_async_context(running_federation(members))
        seen = await server.launch(f"gh/owner/repository/{SHA}")

    assert seen.last.phase is Phase.READY, seen.last
    assert all(len(member.paths) == 1 for member in members)


async def test_a_member_that_blames_repositories_wrongly_fails_nobody(
    fleet: Fleet, federated: FederationServer
) -> None:
    """And it is the one that is held to have failed."""
    fleet.members[0].fail_next(*[Failure.BUILD_FAILS] * 200)
    liar = fleet.members[0].name
    asked = 0
    for number in range(60):
        path = fleet.launch_path().replace("repository", f"repository-{number}")
        seen = await federated.launch(path)
        assert seen.last.phase is Phase.READY, seen.last
        asked += any(event.fields.get("failover") for event in seen.events)
    health = federated.context.monitor.health(liar)
    assert health.is_ejected
    assert asked < 20, f"it was asked {asked} times"


async def test_when_every_member_fails_the_visitor_is_told_who_was_tried(
    fleet: Fleet, federated: FederationServer
) -> None:
    for member in fleet.members:
        member.fail_next(Failure.LAUNCH_FAILS)

    seen = await federated.launch(fleet.launch_path())

    assert seen.last.phase is Phase.FAILED
    assert seen.last.fields["fault"] == "member"
    assert seen.last.fields["tried"] == fleet.names
    assert seen.last.fields["retryable"] is True


async def test_full_members_are_no_failure_but_a_quota(
    fleet: Fleet, federated: FederationServer
) -> None:
    for member in fleet.members:
        member.fail_next(Failure.FULL)

    seen = await federated.launch(fleet.launch_path())

    assert seen.last.fields["code"] == "pod_quota"
    assert seen.last.fields["status_code"] == 429
    assert seen.last.fields["retry_after_seconds"] > 0
    assert "All members are full" in seen.last.message


async def test_avoided_members_are_used_only_when_there_is_no_other(
    fleet: Fleet, federated: FederationServer
) -> None:
    path = fleet.launch_path()
    first = await federated.launch(path)

    elsewhere = await federated.launch(path, query=f"?avoid={fleet.usual.name}")
    nowhere = await federated.launch(path, query=f"?avoid={','.join(fleet.names)}")

    assert first.last.fields["member"] == fleet.usual.name
    assert elsewhere.last.fields["member"] != fleet.usual.name
    assert nowhere.last.phase is Phase.READY


async def test_a_member_that_goes_away_while_building_is_replaced(
    fleet: Fleet, federated: FederationServer
) -> None:
    for member in fleet.members:
        member.fail_next(Failure.RESET_AT_BUILDING)

    seen = await federated.launch(fleet.launch_path())

    assert seen.last.phase is Phase.FAILED, "all fail"
    assert f"{len(fleet.members)} members were tried" in seen.last.message


async def test_a_visitor_stays_where_it_was_before(
    fleet: Fleet, federated: FederationServer
) -> None:
    context = federated.context
    path = fleet.launch_path()
    spec = context.repositories.parse(path)
    record = ImageRecord(key=spec.image_key("1" * 40), repository=spec.affinity_key)
    for name in fleet.names:
        await context.shared.store.note_image(name, record, now=context.clock())
    for member in fleet.members:
        member.images.add(path)
    for name in fleet.names:
        seen = await federated.launch(path, query=f"?prefer={name}")
        assert seen.last.fields["member"] == name
    nowhere = await federated.launch(path, query="?prefer=nobody-of-that-name")
    assert nowhere.phases[-1] == "ready"


async def test_a_refusal_for_want_of_room_ends_nobody_elses_build(
    fleet: Fleet, federated: FederationServer
) -> None:
    """The member is full for who comes now, and goes on building for who came before."""
    path = fleet.launch_path()
    fleet.hold(Phase.BUILDING)

    async def is_building() -> bool:
        return fleet.usual.builds[path] == 1

    async def went_on() -> bool:
        return fleet.built(path) == 2

    async def waits() -> bool:
        return fleet.asked(path) == 4

    async with asyncio.TaskGroup() as group:
        first = group.create_task(federated.launch(path))
        await eventually(is_building, what="the build to begin")
        fleet.usual.fail_next(Failure.FULL)
        second = group.create_task(federated.launch(path))
        await eventually(went_on, what="the second visitor to go on at another member")
        third = group.create_task(federated.launch(path))
        await eventually(waits, what="the third visitor to wait where it is being built")
        fleet.go_on()
    assert {task.result().phases[-1] for task in (first, second, third)} == {"ready"}
    assert fleet.usual.builds[path] == 1


async def test_a_member_that_refused_its_first_visitor_builds_nothing(
    fleet: Fleet, federated: FederationServer
) -> None:
    for member in fleet.members:
        member.fail_next(Failure.FULL)
    context = federated.context
    path = fleet.launch_path()
    spec = context.repositories.parse(path)
    assert (await federated.launch(path)).last.fields["code"] == "pod_quota"
    key = spec.image_key("1" * 40)
    facts = await context.shared.store.facts(key, spec.affinity_key, now=context.clock())
    assert facts.building_since == {}, "nobody took the launch, so nobody builds"
