"""`/metrics` of an agent: every name by the rules, what it is now, and a hub in trouble."""

import shutil
import subprocess

import pytest

from binder_federation import __version__
from tests.support.agent_server import PATH, AgentServer, running_agent
from tests.support.scrape import Scrape, naming_problems


async def scrape(agent: AgentServer) -> Scrape:
    return Scrape((await agent.client.get("/metrics")).text)


async def test_what_the_member_is_now() -> None:
    async with running_agent() as agent:
        found = await scrape(agent)

    assert naming_problems(found.families) == []
    states = {each["state"] for each in found.series("binderfed_agent_sessions")}
    assert states == {"running", "pending", "warm"}
    assert found.value("binderfed_agent_capacity_sessions") == 50
    assert found.value("binderfed_agent_builds") == 0
    assert found.value("binderfed_agent_build_slots") == agent.context.settings.build.slots
    assert found.value("binderfed_agent_can_build") == 1
    assert found.value("binderfed_agent_draining") == 0
    labels = {"version": __version__, "stack": agent.context.settings.stack}
    assert found.value("binderfed_agent_build_info", **labels) == 1


async def test_requests_that_the_hub_does_not_take_are_counted() -> None:
    async with running_agent(launch={"retries": 0}) as agent:
        agent.stack.hub.fail_next("create_user", 503)
        await agent.launch()
        agent.stack.hub.fail_next("create_user", 403)
        await agent.launch(PATH.replace("owner", "other"))
        found = await scrape(agent)

    assert found.value("binderfed_agent_hub_request_failures_total", reason="5xx") == 1
    assert found.value("binderfed_agent_hub_request_failures_total", reason="4xx") == 1


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
async def test_promtool_finds_no_fault() -> None:
    async with running_agent() as agent:
        await agent.launch()
        text = (await agent.client.get("/metrics")).text

    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False
    )

    assert done.stdout + done.stderr == ""
