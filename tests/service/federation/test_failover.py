"""What a visitor sees when a member fails under a launch: one stream, one line, a notebook."""

import asyncio

import pytest

from binder_federation.binder.events import Phase
from binder_federation.binder.messages import ImageRecord
from tests.support.eventually import eventually
from tests.support.fake_member import Failure, FakeMember
from tests.support.federation_server import FederationServer, Seen, running_federation

LAUNCH = f"gh/owner/repository/{'1' * 40}"


def usual_and_other(
    first: Seen, alpha: FakeMember, beta: FakeMember
) -> tuple[FakeMember, FakeMember]:
    """The member that a first launch went to, and the other one."""
    name = first.last.fields["member"]
    return (alpha, beta) if name == "alpha" else (beta, alpha)


async def test_a_launch_tells_member_attempt_reason_and_time_left(
    federation: FederationServer,
) -> None:
    seen = await federation.launch()

    assert seen.status == 200
    assert seen.phases[-1] == "ready", seen.events
    ready = seen.last.fields
    assert ready["token"] == "secret"
    assert ready["url"].endswith("/user/x/")
    told = [event for event in seen.events if "member" in event.fields]
    assert {event.fields["attempt"] for event in told} == {1}
    assert all(event.fields["reason_phrase"] for event in told)
    left = [event.fields["eta_seconds"] for event in told]
    assert left[-1] == 0
    assert left == sorted(left, reverse=True), f"the estimate must come down: {left}"


async def test_the_second_launch_goes_where_the_image_is(
    federation: FederationServer, alpha: FakeMember, beta: FakeMember
) -> None:
    first = await federation.launch()
    second = await federation.launch()

    assert second.last.fields["member"] == first.last.fields["member"]
    assert "already has this image" in second.last.fields["reason_phrase"]
    assert sum((alpha.builds + beta.builds).values()) == 1


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
    federation: FederationServer, alpha: FakeMember, beta: FakeMember, failure: Failure
) -> None:
    probe = await federation.launch(f"gh/owner/repository/{'2' * 40}")
    usual, other = usual_and_other(probe, alpha, beta)
    usual.fail_next(failure)

    seen = await federation.launch(LAUNCH)

    assert seen.last.phase is Phase.READY, seen.last
    assert seen.last.fields["member"] == other.name
    assert seen.last.fields["attempt"] == 2
    lines = [event.message for event in seen.events if event.fields.get("failover")]
    assert len(lines) == 1, "exactly one line tells of the change"
    assert f"Going on at {other.name}." in lines[0]
    assert "failed" not in seen.phases


async def test_a_member_that_falls_silent_is_replaced_within_the_stream(
    alpha: FakeMember, beta: FakeMember
) -> None:
    async with running_federation([alpha, beta], launch={"silence_seconds": 1.0}) as federation:
        probe = await federation.launch(f"gh/owner/repository/{'2' * 40}")
        usual, other = usual_and_other(probe, alpha, beta)
        usual.fail_next(Failure.SILENT)

        seen = await federation.launch(LAUNCH)

    assert (seen.last.phase, seen.last.fields["member"]) == (Phase.READY, other.name)
    lines = [event.message for event in seen.events if event.fields.get("failover")]
    assert len(lines) == 1, "exactly one line tells of the change"
    assert "silent" in lines[0]


async def test_a_repository_that_does_not_build_is_told_once(
    federation: FederationServer, alpha: FakeMember, beta: FakeMember
) -> None:
    alpha.fail_next(Failure.BUILD_FAILS)
    beta.fail_next(Failure.BUILD_FAILS)

    seen = await federation.launch(LAUNCH)

    assert seen.last.phase is Phase.FAILED
    assert seen.last.fields["fault"] == "repository"
    assert "nosuchthing" in seen.last.message
    assert len(alpha.paths) + len(beta.paths) == 1, "another member would not do better"


async def test_when_every_member_fails_the_visitor_is_told_who_was_tried(
    federation: FederationServer, alpha: FakeMember, beta: FakeMember
) -> None:
    alpha.fail_next(Failure.LAUNCH_FAILS)
    beta.fail_next(Failure.LAUNCH_FAILS)

    seen = await federation.launch(LAUNCH)

    assert seen.last.phase is Phase.FAILED
    assert seen.last.fields["fault"] == "member"
    assert seen.last.fields["tried"] == ["alpha", "beta"]
    assert seen.last.fields["retryable"] is True


async def test_full_members_are_no_failure_but_a_quota(
    federation: FederationServer, alpha: FakeMember, beta: FakeMember
) -> None:
    alpha.fail_next(Failure.FULL)
    beta.fail_next(Failure.FULL)

    seen = await federation.launch(LAUNCH)

    assert seen.last.fields["code"] == "pod_quota"
    assert seen.last.fields["status_code"] == 429
    assert seen.last.fields["retry_after_seconds"] > 0
    assert "All members are full" in seen.last.message


async def test_avoided_members_are_used_only_when_there_is_no_other(
    federation: FederationServer, alpha: FakeMember, beta: FakeMember
) -> None:
    first = await federation.launch(LAUNCH)
    usual, other = usual_and_other(first, alpha, beta)

    elsewhere = await federation.launch(LAUNCH, query=f"?avoid={usual.name}")
    nowhere = await federation.launch(LAUNCH, query=f"?avoid={usual.name},{other.name}")

    assert elsewhere.last.fields["member"] == other.name
    assert nowhere.last.phase is Phase.READY


async def test_a_member_that_goes_away_while_building_is_replaced(
    federation: FederationServer, alpha: FakeMember, beta: FakeMember
) -> None:
    alpha.fail_next(Failure.RESET_AT_BUILDING)
    beta.fail_next(Failure.RESET_AT_BUILDING)

    seen = await federation.launch(LAUNCH)

    assert seen.last.phase is Phase.FAILED, "both fail"
    assert "2 members were tried" in seen.last.message


async def test_a_visitor_stays_where_it_was_before(federation: FederationServer) -> None:
    context = federation.context
    spec = context.repositories.parse(LAUNCH)
    record = ImageRecord(key=spec.image_key("1" * 40), repository=spec.affinity_key)
    for name in ("alpha", "beta"):
        await context.shared.store.note_image(name, record, now=context.clock())
    for name in ("alpha", "beta"):
        seen = await federation.launch(query=f"?prefer={name}")
        assert seen.last.fields["member"] == name
    nowhere = await federation.launch(query="?prefer=nobody-of-that-name")
    assert nowhere.phases[-1] == "ready"


async def test_a_refusal_for_want_of_room_ends_nobody_elses_build(
    federation: FederationServer, alpha: FakeMember, beta: FakeMember
) -> None:
    """The member is full for who comes now, and goes on building for who came before."""
    for member in (alpha, beta):
        member.hold(Phase.BUILDING)

    async with asyncio.TaskGroup() as group:
        first = group.create_task(federation.launch(LAUNCH))

        async def is_building() -> bool:
            return bool(alpha.builds[LAUNCH] or beta.builds[LAUNCH])

        await eventually(is_building, what="the build to begin")
        builder = alpha if alpha.builds[LAUNCH] else beta
        builder.fail_next(Failure.FULL)
        second = group.create_task(federation.launch(LAUNCH))
        other = beta if builder is alpha else alpha

        async def went_on() -> bool:
            return bool(other.builds[LAUNCH])

        await eventually(went_on, what="the second visitor to go on at the other member")
        third = group.create_task(federation.launch(LAUNCH))

        async def waits() -> bool:
            return len(alpha.paths) + len(beta.paths) == 4

        await eventually(waits, what="the third visitor to wait where it is being built")
        for member in (alpha, beta):
            member.go_on()
    assert {task.result().phases[-1] for task in (first, second, third)} == {"ready"}
    assert builder.builds[LAUNCH] == 1


async def test_a_member_that_refused_its_first_visitor_builds_nothing(
    federation: FederationServer, alpha: FakeMember, beta: FakeMember
) -> None:
    for member in (alpha, beta):
        member.fail_next(Failure.FULL)
    context = federation.context
    spec = context.repositories.parse(LAUNCH)
    assert (await federation.launch(LAUNCH)).last.fields["code"] == "pod_quota"
    key = spec.image_key("1" * 40)
    facts = await context.shared.store.facts(key, spec.affinity_key, now=context.clock())
    assert facts.building_since == {}, "nobody took the launch, so nobody builds"
