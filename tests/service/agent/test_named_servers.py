"""Visitors who are logged in: several servers of one user, who stays whatever happens."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from binder_federation.binder.build_tokens import BuildClaims
from binder_federation.binder.events import Phase
from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.hub_api import NO_RETRY, HubApi
from binder_federation.cluster_agent.metrics import AgentMetrics
from binder_federation.cluster_agent.removal import REAP_AFTER_SECONDS, Removals
from binder_federation.runtime.tasks import BackgroundTasks
from tests.support.agent_server import PATH, SHA, AgentServer, Seen, running_agent
from tests.support.eventually import eventually
from tests.support.fake_hub import FakeServer
from tests.support.fake_stack import FakeStack
from tests.support.warm_agents import pool_of, until_warm, was_warm

ON: dict[str, Any] = {"named_servers": True}


def of(user: str, path: str = PATH, launch: str = "") -> BuildClaims:
    return BuildClaims(audience=path, user=user, launch=launch)


async def launch(agent: AgentServer, user: str = "ada", path: str = PATH) -> Seen:
    return await agent.launch(path, claims=of(user, path))


def server_in(seen: Seen) -> str:
    """`user/server`, as in the URL that the visitor is told."""
    assert seen.last.phase is Phase.READY, seen.text
    return str(seen.last.fields["url"]).partition("/user/")[2].rstrip("/")


async def test_a_user_has_several_servers_each_with_its_own_name() -> None:
    stack = FakeStack()
    async with running_agent(stack, launch=ON) as agent:
        first, second = await launch(agent), await launch(agent)
        anonymous = await agent.launch()
        assert stack.hub.users.keys() == {"ada", server_in(anonymous)}
        assert stack.hub.named.keys() == {server_in(first), server_in(second)}
        assert server_in(first).startswith("ada/owner-repository-")
        assert server_in(first) != server_in(second)
        options = stack.hub.named[server_in(first)].options
        assert options["token"] == first.last.fields["token"]


async def test_every_server_of_a_user_is_counted_used_and_known() -> None:
    stack = FakeStack()
    async with running_agent(stack, launch=ON) as agent:
        paths = [f"gh/owner/{name}/{SHA}" for name in ("one", "two", "two")]
        seen = [await launch(agent, path=path) for path in paths]
        sessions = agent.context.sessions
        held = sessions.usage()
        await sessions.refresh()
        listed = sessions.usage()
        assert (held.total, listed.total, listed.running) == (3, 3, 3)
        assert listed.by_repository == Counter({"gh/owner/two": 2, "gh/owner/one": 1})
        assert sessions.images_in_use() == {str(one.last.fields["image"]) for one in seen}
        known = frozenset(ServerName(*server_in(one).split("/")) for one in seen)
        assert sessions.known_servers() == known, "none of their pods may be taken for nobody's"
        await agent.context.culling.look()
        assert stack.hub.activity.keys() == {server_in(one) for one in seen}


async def test_a_user_may_have_so_many_and_the_hub_is_not_asked_for_more() -> None:
    stack = FakeStack()
    async with running_agent(stack, launch={**ON, "named_servers_per_user": 2}) as agent:
        seen = await asyncio.gather(*[launch(agent) for _ in range(5)])
        ended = Counter(one.last.fields.get("code", "ready") for one in seen)
        assert ended == {"ready": 2, "user_quota": 3}
        assert stack.hub.calls["start_server"] == 2
        other = await launch(agent, "grace")
        assert other.last.phase is Phase.READY, "the limit is each user's own"

        running = next(server_in(one) for one in seen if one.last.phase is Phase.READY)
        del stack.hub.named[running]
        await agent.context.sessions.refresh()
        assert (await launch(agent)).last.phase is Phase.READY, "a place is free again"
    refused = next(one for one in seen if one.last.phase is Phase.FAILED)
    assert "may have 2" in refused.text


async def test_the_hubs_own_limit_is_told_as_the_same() -> None:
    stack = FakeStack()
    stack.hub.named_servers_per_user = 1
    async with running_agent(stack, launch=ON) as agent:
        await launch(agent)
        refused = await launch(agent)
        assert refused.last.fields["code"] == "user_quota"
        stack.hub.allows_named_servers = False
        off = await launch(agent, "grace")
    assert off.last.fields["code"] == "named_servers_off"


async def test_who_is_logged_in_is_refused_where_that_is_off() -> None:
    stack = FakeStack()
    async with running_agent(stack) as agent:
        refused = await launch(agent)
        assert refused.last.fields["code"] == "named_servers_off"
        assert refused.last.fields["fault"] == "request", "the member is not to blame"
        assert agent.context.sessions.usage().total == 0
        assert not stack.hub.users


async def test_nobody_who_is_logged_in_gets_a_warm_server() -> None:
    stack = FakeStack()
    async with running_agent(stack, launch=ON, warm=pool_of(1)) as agent:
        await launch(agent)
        assert not agent.context.warm.records(), "such launches make no image hot"
        await agent.launch()
        await until_warm(agent, 1)
        seen = await launch(agent)
        assert not was_warm(seen)
        assert server_in(seen).startswith("ada/")
        assert agent.context.warm.records()[0].servers == 1


@pytest.mark.parametrize("is_slow", [False, True])
async def test_a_launch_that_is_left_takes_its_server_along_and_not_the_user(
    is_slow: bool,
) -> None:
    stack = FakeStack()
    async with running_agent(stack, launch=ON) as agent:
        kept = await launch(agent)
        stack.hub.starts_by_themselves = False
        stack.hub.slow_to_stop = is_slow
        await agent.launch(claims=of("ada"), until=Phase.LAUNCHING)

        async def is_gone() -> bool:
            held = agent.context.sessions.usage().total
            return stack.hub.named.keys() == {server_in(kept)} and held == 1

        await eventually(is_gone, what="the server that nobody waits for to go")
        assert "ada" in stack.hub.users
        assert stack.hub.calls["delete_user"] == 0


async def test_a_start_that_fails_leaves_no_record_to_count() -> None:
    stack = FakeStack()
    stack.hub.starts_fail = True
    async with running_agent(stack, launch=ON) as agent:
        failed = await launch(agent)
        assert failed.last.phase is Phase.FAILED

        async def is_gone() -> bool:
            return not stack.hub.named and agent.context.sessions.usage().total == 0

        await eventually(is_gone, what="the failed server to go")
        assert "ada" in stack.hub.users


async def test_a_ready_server_that_nobody_asked_for_goes_alone() -> None:
    stack = FakeStack()
    async with running_agent(stack, launch={**ON, "grace_seconds": 1.0}) as agent:
        stack.hub.starts_by_themselves = False
        await agent.launch(claims=of("ada", launch="one"), until=Phase.LAUNCHING)

        async def is_gone() -> bool:
            return stack.hub.calls["start_server"] == 1 and not stack.hub.named

        await eventually(is_gone, what="the server to go")
        assert "ada" in stack.hub.users


async def test_reaping_takes_ended_servers_and_never_who_is_logged_in() -> None:
    """Temporary users of an earlier run go too: where there are named servers, the culler
    removes no users."""
    stack, now = FakeStack(), [1000.0]
    tasks = BackgroundTasks()
    async with running_agent(stack, launch=ON) as agent:
        ended, running = await launch(agent), await launch(agent)
        earlier = server_in(await agent.launch())
        own = {"repository": "gh/owner/repository", "token": "her own"}
        stack.hub.users["grace"] = FakeServer(options=own, ready=True, pending=None)
        sessions = agent.context.sessions
        await sessions.refresh()
        removals = Removals(
            hub=HubApi(client=agent.client, hub=stack.hub, policy=NO_RETRY),
            sessions=sessions,
            tasks=tasks,
            metrics=AgentMetrics(),
            clock=lambda: now[0],
            adopts_users=True,
        )
        for seen in (ended, running):
            removals.note_made(ServerName(*server_in(seen).split("/")))
        await removals.reap()
        stack.hub.named[server_in(ended)].become()
        stack.hub.users[earlier] = stack.hub.users["grace"] = None
        await sessions.refresh()
        await removals.reap()
        assert server_in(ended) in stack.hub.named, "it may be about to start"
        now[0] += REAP_AFTER_SECONDS
        await removals.reap()
        assert stack.hub.named.keys() == {server_in(running)}
        assert stack.hub.users.keys() == {"ada", "grace"}
        deleted = stack.hub.calls["delete_server"]
        await removals.reap()
        assert stack.hub.calls["delete_server"] == deleted, "what is gone is forgotten"
    await tasks.aclose()


async def test_an_open_agent_knows_no_user() -> None:
    stack = FakeStack()
    async with running_agent(stack, launch=ON, open_builds=True) as agent:
        seen = await agent.launch(
            headers={"Accept": "text/event-stream"}, query="?user=ada&build_only=false"
        )
        assert "/" not in server_in(seen)
        assert "ada" not in stack.hub.users
