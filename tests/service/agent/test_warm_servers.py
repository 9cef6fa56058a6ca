"""Warm servers on a hub: handed out once, replaced, giving way, removed."""

import asyncio

import httpx
import pytest
from structlog.testing import capture_logs

from binder_federation.binder.build_tokens import BuildClaims
from binder_federation.binder.events import Phase
from binder_federation.cluster_agent.hub_models import HANDED_OUT_GROUP
from tests.support.agent_server import PATH, SHA, AgentServer, running_agent
from tests.support.eventually import eventually
from tests.support.fake_hub import FakeServer
from tests.support.fake_stack import FakeStack
from tests.support.report_receiver import ReportReceiver
from tests.support.warm_agents import (
    pool_of,
    until_warm,
    user_of,
    waiting,
    warm_servers,
    was_warm,
)

OTHER = f"gh/owner/other/{SHA}"


async def metric(agent: AgentServer, line: str) -> float:
    """The value of the series that `line` begins."""
    text = (await agent.client.get("/metrics")).text
    return sum(float(each.rsplit(" ", 1)[1]) for each in text.splitlines() if each.startswith(line))


async def test_a_hot_image_has_a_server_that_runs_already() -> None:
    async with running_agent(warm=pool_of(1)) as agent:
        first = await agent.launch(claims=BuildClaims(audience=PATH, client_address="192.0.2.7"))
        assert not was_warm(first), "nobody launched it before"
        await until_warm(agent, 1)
        hub = agent.stack.hub
        (name,) = waiting(hub)
        starts = hub.calls["start_server"]

        second = await agent.launch(claims=BuildClaims(audience=PATH, client_address="192.0.2.8"))
        assert was_warm(second)
        assert user_of(second) == name
        assert second.phases == ["built", "launching", "ready"]
        assert name in hub.groups[HANDED_OUT_GROUP], "the hub knows that it is somebody's"
        token = second.last.fields["token"]
        async with httpx.AsyncClient() as client:
            answer = await client.get(
                f"{second.last.fields['url']}api/status",
                headers={"Authorization": f"token {token}"},
            )
        assert answer.status_code == 200, "the visitor's token opens the server"
        options = hub.servers[name].options
        assert options["binder_client_ip"] == "", "whose it will be was not known"
        assert options["repo_url"] == second.last.fields["repo_url"]

        await until_warm(agent, 1)
        assert waiting(hub) != {name}, "another one waits"
        assert hub.calls["start_server"] == starts + 1
        assert await metric(agent, 'binderfed_agent_warm_launches_total{outcome="hit"}') == 1


async def test_fifty_at_once_get_fifty_servers() -> None:
    async with running_agent(
        warm=pool_of(3), quota={"sessions": 100}, launch={"concurrent": 8}
    ) as agent:
        await agent.launch()
        await until_warm(agent, 3)
        seen = await asyncio.gather(*(agent.launch() for _ in range(50)))
        assert [each.last.phase for each in seen] == [Phase.READY] * 50
        assert len({user_of(each) for each in seen}) == 50, "nobody shares a server"
        assert sum(map(was_warm, seen)) >= 3
        assert agent.stack.hub.most_servers <= 100
        given = agent.stack.hub.groups[HANDED_OUT_GROUP]
        assert given == {user_of(each) for each in seen if was_warm(each)}


async def test_warm_servers_make_a_member_no_fuller() -> None:
    async with running_agent(warm=pool_of(3), quota={"sessions": 10}) as agent:
        await agent.launch()
        await until_warm(agent, 3)
        await agent.context.sessions.refresh()
        usage = agent.context.sessions.usage()
        assert (usage.running, usage.pending, usage.warm) == (1, 0, 3)


async def test_a_full_members_warm_servers_give_way() -> None:
    async with running_agent(warm=pool_of(3), quota={"sessions": 4}) as agent:
        hub = agent.stack.hub
        await agent.launch()
        await until_warm(agent, 3)
        seen = [await agent.launch(f"gh/owner/number-{number}/{SHA}") for number in range(3)]
        assert [each.last.phase for each in seen] == [Phase.READY] * 3, "none was refused"
        assert hub.most_servers <= 4, "there were never more servers than places"
        refused = await agent.launch(OTHER)
        assert refused.last.fields["code"] == "pod_quota", "all places are real sessions' now"
        assert warm_servers(agent) == 0
        assert await metric(agent, "binderfed_agent_warm_wasted_total") >= 3


async def test_those_of_another_image_go_first() -> None:
    async with running_agent(warm=pool_of(1), quota={"sessions": 4}) as agent:
        hub = agent.stack.hub
        await agent.launch(PATH)
        await agent.launch(OTHER)
        await until_warm(agent, 2)
        kept = {name for name in waiting(hub) if "other" in name}
        third = await agent.launch(f"gh/owner/third/{SHA}")
        assert third.last.phase is Phase.READY
        assert hub.most_servers <= 4
        assert len(waiting(hub)) <= 1
        last = await agent.launch(OTHER)
        assert last.last.phase is Phase.READY
        assert kept, "the other repository had a warm server"


async def test_a_dead_server_is_skipped() -> None:
    async with running_agent(warm=pool_of(2)) as agent:
        hub = agent.stack.hub
        await agent.launch()
        await until_warm(agent, 2)
        oldest = agent.context.warm._shelf.waiting()[0].name
        hub.servers[oldest].become(failed=True)
        seen = await agent.launch()
        assert was_warm(seen)
        assert user_of(seen) != oldest

        async def is_removed() -> bool:
            return oldest not in hub.users

        await eventually(is_removed, what="the dead server's user to be removed")


async def test_a_server_that_died_is_replaced_before_anybody_comes() -> None:
    async with running_agent(warm=pool_of(1)) as agent:
        hub = agent.stack.hub
        await agent.launch()
        await until_warm(agent, 1)
        (dead,) = waiting(hub)
        hub.servers[dead].become(failed=True)
        await agent.context.sessions.refresh()
        agent.context.warm.tend()

        async def is_replaced() -> bool:
            return dead not in hub.users and warm_servers(agent) == 1

        await eventually(is_replaced, what="another server in place of the dead one")


@pytest.mark.parametrize("status", [400, 403, 500])
async def test_what_cannot_be_recorded_is_not_given_away(status: int) -> None:
    async with running_agent(warm=pool_of(2)) as agent:
        hub = agent.stack.hub
        await agent.launch()
        await until_warm(agent, 2)
        before = waiting(hub)
        hub.always["add_to_group"] = status
        seen = await agent.launch()
        assert seen.last.phase is Phase.READY, "the launch went the usual way"
        assert not was_warm(seen)
        assert user_of(seen) not in before

        async def one_is_removed() -> bool:
            return len(before - hub.users.keys()) == 1

        await eventually(one_is_removed, what="the server that was taken to be removed")


async def test_a_visitor_who_leaves_meanwhile_leaves_nothing() -> None:
    """It may be recorded already: it is removed, not given to the next one."""
    async with running_agent(warm=pool_of(1)) as agent:
        hub = agent.stack.hub
        await agent.launch()
        await until_warm(agent, 1)
        (name,) = waiting(hub)
        hub.may_record.clear()
        await agent.launch(until=Phase.LAUNCHING)

        async def is_removed() -> bool:
            return name not in hub.users

        await eventually(is_removed, what="the server that was half given away to be removed")
        hub.may_record.set()
        await until_warm(agent, 1)
        assert user_of(await agent.launch()) != name


async def test_what_an_earlier_run_left_is_removed_unless_it_was_handed_out() -> None:
    stack = FakeStack()
    for name in ("left", "given"):
        options = {"token": "t", "warm": True, "image": "x", "repository": "gh/o/r"}
        stack.hub.users[name] = FakeServer(options, ready=True, pending=None)
    stack.hub.users["usual"] = FakeServer({"token": "t"}, ready=True, pending=None)
    stack.hub.groups[HANDED_OUT_GROUP] = {"given"}
    async with running_agent(stack) as agent:

        async def is_removed() -> bool:
            return "left" not in stack.hub.users

        await eventually(is_removed, what="the server that nobody was given to be removed")
        await agent.context.sessions.refresh()
        agent.context.warm.tend()
        assert set(stack.hub.servers) == {"given", "usual"}
        assert agent.context.sessions.usage().total == 2


async def test_stopping_in_order_leaves_none() -> None:
    async with running_agent(warm=pool_of(3)) as agent:
        first = await agent.launch()
        await until_warm(agent, 3)
        users = agent.stack.hub.users
        await agent.stop()
        assert set(users) == {user_of(first)}


@pytest.mark.parametrize(
    "warm", [pool_of(2, enabled=False), pool_of(2, exclude=["gh/owner/.*"]), {}]
)
async def test_there_are_none_where_none_are_wanted(warm: dict[str, object]) -> None:
    """Switched off, excluded; and by default one launch alone makes nothing hot."""
    async with running_agent(warm=warm) as agent:
        await agent.launch()
        agent.context.warm.tend()
        assert agent.stack.hub.calls["start_server"] == 1


async def test_an_old_server_is_replaced_and_an_evicted_images_goes() -> None:
    async with running_agent(warm=pool_of(1, max_age_seconds=0.2)) as agent:
        hub = agent.stack.hub
        await agent.launch()
        await until_warm(agent, 1)
        (old,) = waiting(hub)

        async def is_replaced() -> bool:
            agent.context.warm.tend()
            return old not in hub.users

        await eventually(is_replaced, what="the old server to be replaced")
        agent.stack.images.images.clear()
        await agent.context.inventory.read()
        agent.context.warm.tend()

        async def are_gone() -> bool:
            return not waiting(hub)

        await eventually(are_gone, what="the warm servers of the image that is gone to go")


async def test_an_image_that_does_not_start_is_left_alone() -> None:
    async with running_agent(warm=pool_of(1)) as agent:
        hub = agent.stack.hub
        await agent.launch()
        await until_warm(agent, 1)
        hub.always["start_server"] = 400
        assert was_warm(await agent.launch())
        series = 'binderfed_agent_warm_wasted_total{reason="not_started"}'

        async def has_failed() -> bool:
            return await metric(agent, series) == 1

        await eventually(has_failed, what="the start of the next one to have failed")
        starts = hub.calls["start_server"]
        agent.context.warm.tend()
        assert not agent.context.warm._shelf.waiting(), "it is not tried again at once"
        assert hub.calls["start_server"] == starts


async def test_waiting_is_no_idleness_and_the_visitor_has_the_whole_time() -> None:
    async with running_agent(warm=pool_of(1)) as agent:
        hub = agent.stack.hub
        await agent.launch()
        await until_warm(agent, 1)
        (name,) = waiting(hub)
        await agent.context.sessions.refresh()
        await agent.context.culling.look()
        while_waiting = hub.activity[name]
        assert while_waiting > hub.last_activity, "the hub's culler leaves it alone"
        assert user_of(await agent.launch()) == name

        async def is_noted() -> bool:
            return hub.activity[name] > while_waiting

        await eventually(is_noted, what="the hand-out to count as activity")


async def test_the_federation_hears_of_them_at_once_and_apart_from_the_load() -> None:
    async with (
        ReportReceiver() as receiver,
        running_agent(
            warm=pool_of(2), federation_url=receiver.url, report_every_seconds=3600
        ) as agent,
    ):
        await agent.launch()
        await until_warm(agent, 2)

        async def is_told() -> bool:
            return sum(each.servers for each in receiver.reports[-1].warm) == 2

        await eventually(is_told, what="a report of two warm servers, long before its turn")
        report = receiver.reports[-1]
        assert (report.load.running + report.load.pending, report.load.warm) == (1, 2)
        held = {image.key for each in receiver.reports for image in each.images}
        assert {each.key for each in report.warm} == held, "they are of the image that was launched"


async def test_the_log_says_whose_a_warm_server_is() -> None:
    async with running_agent(warm=pool_of(1)) as agent:
        await agent.launch()
        await until_warm(agent, 1)
        with capture_logs() as logs:
            claims = BuildClaims(audience=PATH, client_address="192.0.2.7")
            seen = await agent.launch(claims=claims)
        assert was_warm(seen)
        [told] = [each for each in logs if each["event"] == "server_handed_out"]
        assert (told["client_address"], told["is_warm"]) == ("192.0.2.7", True)
        assert told["server"] == user_of(seen)
