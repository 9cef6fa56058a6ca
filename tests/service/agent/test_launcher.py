"""Servers through the hub: failures, cancellation, clean-up, quotas."""

import asyncio
from datetime import datetime, timedelta

from binder_federation.binder.events import Phase
from tests.support.agent_server import SHA, AgentServer, running_agent
from tests.support.eventually import eventually
from tests.support.fake_stack import FakeStack


async def nothing_is_left(agent: AgentServer) -> None:
    async def is_clean() -> bool:
        return not agent.stack.hub.users and agent.context.sessions.usage().total == 0

    await eventually(is_clean, what="users, servers and places to be gone")


async def test_the_hubs_progress_is_relayed(agent: AgentServer) -> None:
    seen = await agent.launch()
    launching = [event.message for event in seen.events if event.phase is Phase.LAUNCHING]
    assert launching == ["Launching server...\n", "Server requested\n", "Spawning server...\n"]


async def test_a_failed_start_is_the_members_fault_and_leaves_nothing() -> None:
    stack = FakeStack()
    stack.hub.starts_by_themselves = False
    async with running_agent(stack) as agent, asyncio.TaskGroup() as group:
        following = group.create_task(agent.launch())

        async def is_starting() -> bool:
            return bool(stack.hub.servers)

        await eventually(is_starting, what="the server to start")
        stack.hub.finish(failed=True)
        seen = await following
        assert seen.last.phase is Phase.FAILED
        assert seen.last.fields["code"] == "launch_failed"
        assert seen.last.fields["fault"] == "member"
        assert "secret detail" not in seen.text
        await nothing_is_left(agent)


async def test_a_client_that_leaves_at_launching_leaves_nothing() -> None:
    stack = FakeStack()
    stack.hub.starts_by_themselves = False
    async with running_agent(stack) as agent:
        await agent.launch(until=Phase.LAUNCHING)
        await nothing_is_left(agent)
        assert stack.hub.calls["create_user"] == stack.hub.calls["delete_user"]


async def test_a_server_that_is_slow_to_stop_is_waited_for() -> None:
    stack = FakeStack()
    stack.hub.starts_by_themselves = False
    stack.hub.slow_to_stop = True
    async with running_agent(stack) as agent:
        await agent.launch(until=Phase.LAUNCHING)

        async def is_asked() -> bool:
            return stack.hub.calls["delete_server"] > 0 or not stack.hub.users

        await eventually(is_asked, what="the clean-up to begin")
        await nothing_is_left(agent)


async def test_a_start_that_never_ends_fails_at_the_deadline() -> None:
    stack = FakeStack()
    stack.hub.starts_by_themselves = False
    async with running_agent(stack, launch={"timeout_seconds": 0.5}) as agent:
        seen = await agent.launch()
        assert seen.last.phase is Phase.FAILED
        assert "did not start within" in seen.last.message
        await nothing_is_left(agent)


async def test_short_troubles_of_the_hub_are_tried_again(agent: AgentServer) -> None:
    hub = agent.stack.hub
    hub.fail_next("create_user", 503, 500)
    hub.fail_next("start_server", 502)
    assert (await agent.launch()).last.phase is Phase.READY
    assert hub.calls["create_user"] == 3
    assert hub.calls["start_server"] == 2


async def test_a_user_that_is_there_already_is_a_try_that_got_through(agent: AgentServer) -> None:
    """409 for the user; the start fails, is sent again, and is already going on."""
    hub = agent.stack.hub
    hub.fail_next("create_user", 500)
    hub.fail_next("start_server", 500)
    assert (await agent.launch()).last.phase is Phase.READY


async def test_a_hub_that_stays_broken_fails_the_launch(agent: AgentServer) -> None:
    agent.stack.hub.always["create_user"] = 500
    seen = await agent.launch()
    assert seen.last.fields["code"] == "hub_unavailable"
    assert seen.last.fields["fault"] == "member"
    assert seen.last.fields["status_code"] == 502
    assert agent.stack.hub.calls["create_user"] == 3
    await nothing_is_left(agent)


async def test_a_hub_that_limits_spawns_is_full_not_broken(agent: AgentServer) -> None:
    agent.stack.hub.always["start_server"] = 429
    seen = await agent.launch()
    assert seen.last.fields["code"] == "pod_quota"
    assert agent.stack.hub.calls["start_server"] == 1, "a refusal is not tried again"
    await nothing_is_left(agent)


async def test_a_progress_stream_that_breaks_off_is_not_the_end(agent: AgentServer) -> None:
    agent.stack.hub.fail_next("progress", 500)
    assert (await agent.launch()).last.phase is Phase.READY


async def test_launches_wait_for_each_other_and_know_their_place() -> None:
    stack = FakeStack()
    stack.hub.starts_by_themselves = False
    async with (
        running_agent(stack, launch={"concurrent": 1}) as agent,
        asyncio.TaskGroup() as group,
    ):
        launches = [
            group.create_task(agent.launch(f"gh/owner/repository-{number}/{SHA}"))
            for number in range(3)
        ]

        async def all_are_done() -> bool:
            stack.hub.finish()
            return all(task.done() for task in launches)

        await eventually(all_are_done, what="all to be ready, one after the other")
    told = [task.result().text for task in launches]
    assert all(task.result().last.phase is Phase.READY for task in launches)
    assert any("Waiting for other servers to start: 1st in line.\n" in text for text in told)


async def test_a_repository_has_a_quota_of_its_own() -> None:
    async with running_agent(quota={"sessions_per_repository": 2}) as agent:
        phases = [(await agent.launch()).last for _ in range(3)]
        assert [event.phase for event in phases] == [Phase.READY, Phase.READY, Phase.FAILED]
        assert phases[2].fields["code"] == "repo_quota"
        assert phases[2].fields["status_code"] == 429
        assert (await agent.launch(f"gh/owner/other/{SHA}")).last.phase is Phase.READY


async def test_sessions_that_ended_make_room() -> None:
    async with running_agent(quota={"sessions": 1}) as agent:
        await agent.launch()
        refused = (await agent.launch()).last
        assert refused.fields["code"] == "pod_quota"
        agent.stack.hub.users.clear()
        await agent.context.sessions.refresh()
        assert (await agent.launch()).last.phase is Phase.READY


async def test_ended_servers_are_not_counted() -> None:
    """deploy #2670, #2685: 100 ended and none running is full capacity."""
    stack = FakeStack()
    async with running_agent(stack, quota={"sessions": 1}) as agent:
        stack.hub.users.update({f"ended-{number}": None for number in range(300)})
        await agent.context.sessions.refresh()
        assert len(agent.context.sessions.users) == 300, "all pages are read"
        assert (await agent.launch()).last.phase is Phase.READY


async def test_activity_of_servers_is_passed_on(agent: AgentServer) -> None:
    await agent.launch()
    await agent.context.sessions.refresh()
    ((name, server),) = agent.stack.hub.servers.items()
    used = server.started + timedelta(milliseconds=1)
    server.answers["api/kernels"] = [{"last_activity": used.isoformat()}]
    await agent.context.culling.look()
    assert datetime.fromisoformat(agent.stack.hub.activity[name]) == used


async def test_a_server_that_does_not_answer_has_no_activity(agent: AgentServer) -> None:
    await agent.launch()
    await agent.context.sessions.refresh()
    agent.stack.hub.answers.clear()
    await agent.context.culling.look()
    assert not agent.stack.hub.activity
