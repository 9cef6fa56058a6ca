"""The rows of the incident book that concern one member alone, each by its date and title."""

import asyncio
from collections import Counter

from binder_federation.binder.events import Event, Phase
from binder_federation.binder.providers.base import GitSource
from binder_federation.binder.spec import LaunchSpec
from binder_federation.cluster_agent.builds import Builds
from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.hub_api import NO_RETRY, HubApi
from binder_federation.cluster_agent.metrics import AgentMetrics
from binder_federation.cluster_agent.removal import MOST_PER_PASS, Removals
from binder_federation.cluster_agent.stacks.base import BuildPlan, Room
from binder_federation.config.agent import AgentBuildSettings
from binder_federation.runtime.tasks import BackgroundTasks
from tests.support.agent_server import SHA, running_agent
from tests.support.eventually import eventually
from tests.support.fake_stack import FakeStack


async def test_2017_09_27_hub_403_no_ready_before_the_server_answers() -> None:
    stack = FakeStack()
    stack.hub.answers.clear()
    async with running_agent(stack) as agent, asyncio.TaskGroup() as group:
        following = group.create_task(agent.launch())

        async def is_asked() -> bool:
            return stack.hub.calls["status"] >= 5

        await eventually(is_asked, what="the agent to ask the server itself")
        (server,) = stack.hub.servers.values()
        assert server.ready, "the hub says that it is ready"
        assert not following.done()
        stack.hub.answers.set()
    assert following.result().last.phase is Phase.READY


async def test_2017_10_17_cluster_full_fifty_launches_and_ten_places() -> None:
    stack = FakeStack()
    async with running_agent(stack, quota={"sessions": 10}) as agent:
        seen = await asyncio.gather(*(agent.launch() for _ in range(50)))
        outcomes = Counter(each.last.fields.get("code", "ready") for each in seen)
        assert outcomes == {"ready": 10, "pod_quota": 40}
        assert stack.hub.most_servers <= 10
        assert len(stack.hub.users) == len(stack.hub.servers) == 10
        assert stack.hub.calls["create_user"] == 10


async def test_2017_10_17_cluster_full_failing_launches_leave_no_orphans() -> None:
    stack = FakeStack()
    stack.hub.always["start_server"] = 500
    async with running_agent(stack, quota={"sessions": 10}) as agent:
        await asyncio.gather(*(agent.launch() for _ in range(30)))

        async def is_clean() -> bool:
            return not stack.hub.users and agent.context.sessions.usage().total == 0

        await eventually(is_clean, what="no orphans")


async def test_2017_11_30_oom_proxy_a_broken_hub_is_the_members_failure() -> None:
    async with running_agent() as agent:
        agent.stack.hub.always["create_user"] = 500
        failed = (await agent.launch()).last
        assert failed.phase is Phase.FAILED
        assert failed.fields["fault"] == "member"
        assert failed.fields["retryable"] is True


async def test_2018_03_13_volume_locked_a_hub_that_refuses_is_seen_in_seconds() -> None:
    async with running_agent() as agent:
        agent.stack.hub.always["list_users"] = 503
        await agent.context.sessions.refresh()
        answer = await agent.client.get("/health")
        assert answer.status_code == 503
        failing = [check["service"] for check in answer.json()["checks"] if not check["ok"]]
        assert failing == ["Session list"]


async def test_2018_04_18_cull_flood_a_hub_that_refuses_every_delete() -> None:
    """Deletions stay few however many are due, never stop, and end well when the hub is."""
    stack = FakeStack()
    hub = stack.hub
    async with running_agent(stack) as agent:
        hub.always.update(delete_server=400, delete_user=400)
        names = [f"owner-repository-{number:08d}" for number in range(30)]
        hub.users.update(dict.fromkeys(names))
        removals = agent.context.removals
        for name in names:
            removals.note_made(ServerName(name))
            removals.remove_soon(ServerName(name), then=lambda: None)
        await removals.wait(timeout_seconds=10)
        await agent.context.sessions.refresh()
        for _ in range(5):
            before = hub.calls["delete_server"]
            await removals.reap()
            assert hub.calls["delete_server"] - before == MOST_PER_PASS
        assert len(hub.users) == 30
        hub.always.clear()
        for _ in range(3):
            await agent.context.sessions.refresh()
            await removals.reap()
        assert not hub.users


async def test_2018_07_08_pods_without_users_ended_sessions_are_reaped() -> None:
    """Users of ours without a server go in time; anybody else's never do."""
    stack = FakeStack()
    now = [1000.0]
    tasks, metrics = BackgroundTasks(), AgentMetrics()
    async with running_agent(stack) as agent:
        hub = HubApi(client=agent.client, hub=stack.hub, policy=NO_RETRY)
        sessions = agent.context.sessions
        removals = Removals(
            hub=hub, sessions=sessions, tasks=tasks, metrics=metrics, clock=lambda: now[0]
        )
        stack.hub.users.update({"ours-12345678": None, "somebody-else": None})
        removals.note_made(ServerName("ours-12345678"))
        await sessions.refresh()
        await removals.reap()
        assert "ours-12345678" in stack.hub.users, "it may be about to start"
        now[0] += 400
        await removals.reap()
        assert set(stack.hub.users) == {"somebody-else"}
    await tasks.aclose()


def make_builds(stack: FakeStack, tasks: BackgroundTasks, *, slots: int) -> Builds:
    return Builds(
        builder=stack.builder,
        images=stack.images,
        settings=AgentBuildSettings(slots=slots),
        tasks=tasks,
        metrics=AgentMetrics(),
        on_built=lambda _: None,
        room=lambda: stack.room,
    )


def plan(repository: str, ref: str = SHA) -> BuildPlan:
    spec = LaunchSpec("gh", repository, ref)
    return BuildPlan(spec.image_key(ref), spec, ref, GitSource("https://git.invalid/x"))


async def test_2018_03_26_no_space() -> None:
    """The disk is nearly full: nothing is built, and what was built before still starts."""
    stack = FakeStack()
    stack.room = Room(can_build=False, reason="The disk is nearly full.")
    there = stack.images.add(plan("owner/there"))
    async with running_agent(stack) as agent:
        refused = await agent.launch(f"gh/owner/new/{SHA}")
        started = await agent.launch(f"gh/owner/there/{SHA}")

    assert refused.last.phase is Phase.FAILED
    assert refused.last.fields["fault"] == "member", "another member may have room"
    assert "disk is nearly full" in refused.last.message
    assert stack.builder.plans == [], "a build was begun on a full disk"
    assert started.last.phase is Phase.READY
    assert started.last.fields["image"] == there.reference


async def test_2018_07_30_build_watched_by_many_has_one_reader() -> None:
    """1,000 watchers of a 10,000-line build; the loop stays free for others meanwhile."""
    stack, tasks = FakeStack(), BackgroundTasks()
    stack.builder.lines = [f"line {number}" for number in range(10_000)]
    builds = make_builds(stack, tasks, slots=1)
    finals: list[list[Event]] = []
    turns = 0

    async def watch() -> None:
        last: list[Event] = []

        def keep(event: Event) -> None:
            last[:] = [event]

        await builds.watch(plan("owner/repository"), keep)
        finals.append(last)

    async def others() -> None:
        nonlocal turns
        while not finals:  # nobody has everything yet
            await asyncio.sleep(0)
            turns += 1

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(others())
        for _ in range(1000):
            group.create_task(watch())
    assert len(stack.builder.plans) == 1
    assert {last[0].message for last in finals} == {"line 9999\n"}
    assert turns > 20, "others have their turn between the watchers' lines"
    await tasks.aclose()


async def test_2019_03_24_cache_wipe_one_repository_does_not_take_all_slots() -> None:
    """Four slots, 60 % of the builds are one repository's: the others come first in turn."""
    stack, tasks = FakeStack(), BackgroundTasks()
    builds = make_builds(stack, tasks, slots=4)
    plans = [plan("hot/repository", f"{number:040x}") for number in range(60)]
    plans += [plan(f"other/repository-{number}") for number in range(40)]
    async with asyncio.timeout(20):
        await asyncio.gather(*(builds.watch(each, lambda _: None) for each in plans))
    order = [each.spec.repository for each in stack.builder.plans]
    assert len(order) == 100
    assert stack.builder.most_running == 4
    assert order[:50].count("hot/repository") <= 12, order[:50]
    await tasks.aclose()


async def test_2019_03_24_cache_wipe_watching_holds_no_slot() -> None:
    stack, tasks = FakeStack(), BackgroundTasks()
    stack.builder.may_finish.clear()
    builds = make_builds(stack, tasks, slots=2)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(builds.watch(plan("hot/repository"), lambda _: None))
        group.create_task(builds.watch(plan("other/repository"), lambda _: None))

        async def both_run() -> bool:
            return stack.builder.running == 2

        await eventually(both_run, what="both builds to run")
        stack.builder.may_finish.set()
    await tasks.aclose()


async def test_2022_06_02_pod_limit_a_quota_of_the_cluster_is_full_not_broken() -> None:
    async with running_agent() as agent:
        agent.stack.hub.cluster_quota_is_exceeded = True
        failed = (await agent.launch()).last
        assert failed.fields["code"] == "pod_quota"


async def test_deploy_3080_serial_pulls_are_waited_for_not_asked_for_again() -> None:
    """20 new images at once, and the node pulls one after the other: each is asked for once."""
    stack = FakeStack()
    hub = stack.hub
    hub.starts_by_themselves = False
    for number in range(20):
        stack.images.add(plan(f"owner/new-{number}"))
    async with running_agent(stack, launch={"concurrent": 20}) as agent:
        async with asyncio.TaskGroup() as group:
            paths = [f"gh/owner/new-{number}/{SHA}" for number in range(20)]
            launches = [group.create_task(agent.launch(path)) for path in paths]

            async def all_are_asked_for() -> bool:
                return len(hub.servers) == 20

            await eventually(all_are_asked_for, what="all launches to wait for their pulls")
            for server in hub.servers.values():
                server.start_has_ended(is_well=True)
                await asyncio.sleep(0)
        assert [task.result().last.phase for task in launches] == [Phase.READY] * 20
    assert hub.calls["start_server"] == 20, "a launch that waits was asked for again"
    assert hub.calls["create_user"] == 20
    assert hub.calls["delete_server"] == 0
