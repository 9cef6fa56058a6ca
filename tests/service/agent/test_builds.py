"""One build per image, many watchers; slots; cancellation."""

import asyncio

from binder_federation.binder.errors import BuildFailed
from binder_federation.binder.events import Phase
from tests.support.agent_server import SHA, AgentServer, running_agent
from tests.support.eventually import eventually
from tests.support.fake_stack import FakeStack


async def builds_run(stack: FakeStack, count: int) -> None:
    async def are_running() -> bool:
        return stack.builder.running == count

    await eventually(are_running, what=f"{count} builds to run")


async def test_fifty_at_once_are_one_build_and_fifty_sessions() -> None:
    async with running_agent() as agent:
        seen = await asyncio.gather(*(agent.launch() for _ in range(50)))
        assert [each.last.phase for each in seen] == [Phase.READY] * 50
        assert len(agent.stack.builder.plans) == 1
        assert len(agent.stack.hub.servers) == 50
        assert len({each.last.fields["url"] for each in seen}) == 50
        assert len({each.last.fields["token"] for each in seen}) == 50


async def test_a_failure_is_told_to_all_who_watch() -> None:
    stack = FakeStack()
    stack.builder.may_finish.clear()
    stack.builder.failure = BuildFailed("It does not build.")
    async with running_agent(stack) as agent, asyncio.TaskGroup() as group:
        watchers = [group.create_task(agent.launch()) for _ in range(10)]
        await builds_run(stack, 1)
        stack.builder.may_finish.set()
    assert {watcher.result().last.message for watcher in watchers} == {"It does not build.\n"}
    assert len(stack.builder.plans) == 1


async def test_a_late_watcher_gets_the_phase_and_the_last_hundred_lines() -> None:
    stack = FakeStack()
    stack.builder.lines = [f"line {number}" for number in range(500)]
    stack.builder.may_finish.clear()
    async with running_agent(stack) as agent, asyncio.TaskGroup() as group:
        first = group.create_task(agent.launch())
        await builds_run(stack, 1)
        begun = asyncio.Event()
        late = group.create_task(agent.launch(begun=begun))
        async with asyncio.timeout(30):
            await begun.wait()
        stack.builder.may_finish.set()
    messages = [event.message for event in late.result().events]
    assert messages[0] == "Building the environment\n"
    assert messages[1:101] == [f"line {number}\n" for number in range(400, 500)]
    assert "line 0\n" in first.result().text
    assert len(stack.builder.plans) == 1


async def test_a_build_goes_on_when_its_only_watcher_leaves(agent: AgentServer) -> None:
    builder = agent.stack.builder
    builder.may_finish.clear()
    left = await agent.launch(until=Phase.BUILDING)
    assert left.last.phase is Phase.BUILDING

    async def place_is_free() -> bool:
        return agent.context.sessions.usage().total == 0

    await eventually(place_is_free, what="the place of who left to be free")
    assert builder.running == 1
    builder.may_finish.set()

    async def is_built() -> bool:
        return len(agent.stack.images.images) == 1

    await eventually(is_built, what="the image")
    assert builder.cancelled == 0
    assert (await agent.launch()).phases == ["built", "launching", "ready"]
    assert len(builder.plans) == 1


async def test_waiting_builds_know_their_place_and_watching_holds_no_slot() -> None:
    stack = FakeStack()
    stack.builder.may_finish.clear()
    async with running_agent(stack, build={"slots": 1}) as agent, asyncio.TaskGroup() as group:
        first = [group.create_task(agent.launch()) for _ in range(5)]
        await builds_run(stack, 1)
        second = group.create_task(agent.launch(f"gh/owner/other/{SHA}"))

        async def one_waits() -> bool:
            report = (await agent.client.get("/health")).json()
            return bool(report) and agent.context.sessions.usage().pending == 6

        await eventually(one_waits, what="the second repository to wait")
        stack.builder.may_finish.set()
    assert stack.builder.most_running == 1
    assert second.result().events[0].phase is Phase.WAITING
    assert second.result().events[0].message == "Waiting for a build slot: 1st in line.\n"
    assert all(task.result().last.phase is Phase.READY for task in [*first, second])


async def test_stopping_cancels_builds() -> None:
    stack = FakeStack()
    stack.builder.may_finish.clear()
    async with running_agent(stack) as agent:
        await agent.launch(until=Phase.BUILDING)
        await agent.stop()
    assert stack.builder.cancelled == 1
    assert not stack.images.images


async def test_room_is_made_after_a_build_but_not_of_what_is_in_use() -> None:
    stack = FakeStack()
    stack.images.limit = 2
    async with running_agent(stack) as agent:
        in_use = (await agent.launch()).last.fields["image"]
        for number in range(4):
            await agent.launch(f"gh/owner/repository-{number}/{SHA}", query="?build_only=true")

        async def room_was_made() -> bool:
            return len(stack.images.kept_for) == 5 and len(stack.images.images) == 2

        await eventually(room_was_made, what="room to be made after each build")
        assert in_use in {image.reference for image in stack.images.images.values()}

        async def inventory_is_read() -> bool:
            return agent.context.inventory.records.keys() == set(stack.images.images)

        await eventually(inventory_is_read, what="the inventory to follow")
