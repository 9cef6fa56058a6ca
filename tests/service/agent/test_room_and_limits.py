"""What a cluster, an institution and its hook say of a launch: room, limits, patterns, words."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

from binder_federation.binder.events import Phase
from binder_federation.binder.spec import LaunchSpec
from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.hooks import LaunchRefused, PreLaunch
from binder_federation.cluster_agent.housekeeping import make_housekeeping
from binder_federation.cluster_agent.stacks.base import Room
from tests.support.agent_server import SHA, AgentServer, running_agent
from tests.support.eventually import eventually
from tests.support.fake_stack import FakeStack

PATTERNS = [
    {"pattern": "gh/owner/.*", "memory_limit": "4G", "cpu_limit": 2},
    {"pattern": "gh/owner/big", "memory_limit": "16G", "sessions_per_repository": 1},
]


async def add_profile(launch: PreLaunch) -> Mapping[str, Any]:
    if launch.repository == "gh/owner/refused":
        raise LaunchRefused("This course begins on Monday.")
    return {"profile": "gpu"} if launch.repository == "gh/owner/gpu" else {}


def options_of(stack: FakeStack) -> dict[str, Any]:
    (server,) = stack.hub.servers.values()
    return dict(server.options)


async def tidy(agent: AgentServer) -> None:
    context = agent.context
    await make_housekeeping(stack=context.stack, sessions=context.sessions)()


async def test_later_patterns_win_setting_by_setting() -> None:
    stack = FakeStack()
    async with running_agent(stack, patterns=PATTERNS) as agent:
        await agent.launch(f"gh/owner/big/{SHA}")
    options = options_of(stack)
    assert (options["mem_limit"], options["cpu_limit"]) == ("16G", 2)
    assert "mem_guarantee" not in options, "what no pattern names stays the spawner's own"


async def test_a_pattern_has_its_own_quota() -> None:
    async with running_agent(patterns=PATTERNS) as agent:
        paths = [f"gh/owner/{name}/{SHA}" for name in ("big", "big", "small", "small")]
        seen = await asyncio.gather(*map(agent.launch, paths))
    ended = Counter(one.last.fields.get("code", "ready") for one in seen)
    assert ended == {"ready": 3, "repo_quota": 1}


async def test_a_cluster_without_room_refuses_before_it_is_asked() -> None:
    stack = FakeStack()
    async with running_agent(stack) as agent:
        first = await agent.launch(f"gh/o/r1/{SHA}")
        stack.room = Room(sessions=1)
        await tidy(agent)
        second = await agent.launch(f"gh/o/r2/{SHA}")
        third = await agent.launch(f"gh/o/r3/{SHA}")
        full = agent.context.sessions.capacity
        stack.room = Room()
        await tidy(agent)
        fourth = await agent.launch(f"gh/o/r4/{SHA}")

    assert [one.last.phase for one in (first, second, fourth)] == [Phase.READY] * 3
    assert third.last.fields["code"] == "pod_quota"
    assert "no room" in third.last.message
    assert full == 2, "the federation is told how many fit"


async def test_the_stack_hears_who_may_have_servers() -> None:
    stack = FakeStack()
    async with running_agent(stack) as agent:
        await agent.launch(f"gh/owner/name/{SHA}")
        await agent.context.sessions.refresh()
        await tidy(agent)
        stack.hub.always["list_users"] = 500
        await agent.context.sessions.refresh()
        await tidy(agent)
        users = frozenset(map(ServerName, stack.hub.users))
    assert stack.tidied_for[-2] == users
    assert stack.tidied_for[-1] is None, "nobody is taken for gone while the hub is silent"


async def test_the_hook_adds_words_for_the_spawner_and_may_refuse() -> None:
    stack = FakeStack()
    async with running_agent(stack, launch={"pre_launch_hook": f"{__name__}:add_profile"}) as agent:
        refused = await agent.launch(f"gh/owner/refused/{SHA}")
        assert agent.context.sessions.usage().total == 0, "its place is free again"
        await agent.launch(f"gh/owner/gpu/{SHA}")
    assert refused.last.phase is Phase.FAILED
    assert "begins on Monday" in refused.last.message
    assert options_of(stack)["profile"] == "gpu"


async def test_an_image_that_is_prepared_is_brought_near() -> None:
    stack = FakeStack()
    spec = LaunchSpec("gh", "owner/name", SHA)
    async with running_agent(stack) as agent:
        await agent.launch(f"gh/owner/name/{SHA}", query="?build_only=true")
        assert stack.images.brought_near == [spec.image_key(SHA)]
        assert not stack.hub.servers
        await agent.launch(f"gh/owner/name/{SHA}")
        assert len(stack.images.brought_near) == 1, "a launch pulls what it needs itself"


async def test_a_start_that_finds_no_room_makes_the_member_full_not_broken() -> None:
    stack = FakeStack()
    stack.hub.starts_by_themselves = False
    stack.hub.failure = 'pods "jupyter-x" is forbidden: exceeded quota: pods, used: pods=9'
    async with running_agent(stack) as agent, asyncio.TaskGroup() as group:
        following = group.create_task(agent.launch())

        async def is_starting() -> bool:
            return bool(stack.hub.servers)

        await eventually(is_starting, what="the server to start")
        stack.hub.finish(failed=True)
        seen = await following
        assert seen.last.fields["code"] == "pod_quota"
        assert "forbidden" not in seen.text, "the hub's words are for the log"
        assert stack.room.sessions == 0, "the stack knows that its cluster is full"
        assert agent.context.sessions.capacity < 50, "so does the federation, from the next report"
