"""The event stream of `/build`, against what parity.md's clients rely on."""

import asyncio
import re

from binder_federation.binder.build_tokens import BuildClaims
from binder_federation.binder.errors import BuildFailed, MemberBuildFailed, UnsupportedRepository
from binder_federation.binder.events import Phase
from tests.support.agent_server import PATH, SHA, AgentServer, running_agent
from tests.support.eventually import eventually
from tests.support.fake_stack import FakeStack

CLAIMS = BuildClaims(
    audience=PATH,
    client_address="192.0.2.7",
    launch_host="https://binder.example.org/",
    request="v2/gh/owner/repository/main",
)


async def test_a_first_launch_builds_and_is_ready(agent: AgentServer) -> None:
    seen = await agent.launch(claims=CLAIMS)
    assert seen.status == 200
    assert seen.headers["Content-Type"] == "text/event-stream"
    assert seen.headers["Cache-Control"] == "no-cache"
    assert seen.headers["X-Accel-Buffering"] == "no"
    assert seen.phases == ["fetching", "building", "built", "launching", "ready"]
    assert "Collecting six\n" in seen.text
    assert seen.keepalives >= 1, "the first bytes come before the first event"
    ready = dict(seen.last.fields)
    assert re.fullmatch(
        rf"{agent.stack.hub.public_url}/user/owner-repository-[a-z0-9]{{8}}/", ready.pop("url")
    )
    assert len(ready.pop("token")) >= 32
    image = ready.pop("image")
    assert image.startswith("fake/")
    assert ready == {
        "repo_url": "https://github.com/owner/repository",
        "binder_ref_url": f"https://github.com/owner/repository/tree/{SHA}",
        "binder_launch_host": "https://binder.example.org/",
        "binder_request": "v2/gh/owner/repository/main",
        "binder_persistent_request": f"v2/gh/owner/repository/{SHA}",
    }
    built = next(event for event in seen.events if event.phase is Phase.BUILT)
    assert built.fields["imageName"] == image


async def test_the_hub_is_told_of_the_launch(agent: AgentServer) -> None:
    seen = await agent.launch(claims=CLAIMS)
    (server,) = agent.stack.hub.servers.values()
    assert server.options["token"] == seen.last.fields["token"]
    assert server.options["image"] == seen.last.fields["image"]
    assert server.options["binder_client_ip"] == "192.0.2.7"
    assert server.options["repo_url"] == "https://github.com/owner/repository"


async def test_a_second_launch_finds_the_image(agent: AgentServer) -> None:
    await agent.launch()
    seen = await agent.launch()
    assert seen.phases == ["built", "launching", "ready"]
    assert "Found built image, launching...\n" in seen.text
    assert len(agent.stack.builder.plans) == 1


async def test_build_only_starts_no_server(agent: AgentServer) -> None:
    first = await agent.launch(query="?build_only=true")
    second = await agent.launch(query="?build_only=true")
    assert first.last.message == "Done! Image built\n"
    assert second.last.message == "Done! Found built image\n"
    assert first.last.fields["imageName"] == second.last.fields["imageName"]
    assert not agent.stack.hub.users


async def test_a_build_that_fails_is_the_repositorys_fault_and_not_kept(
    agent: AgentServer,
) -> None:
    builder = agent.stack.builder
    builder.failure = BuildFailed("There is no package named nonesuch.", advice="Check its name.")
    failed = (await agent.launch()).last
    assert failed.phase is Phase.FAILED
    assert failed.message == "There is no package named nonesuch.\n"
    assert failed.fields["fault"] == "repository"
    assert failed.fields["status_code"] == 422
    assert not agent.stack.hub.users
    builder.failure = UnsupportedRepository("It has a Dockerfile.")
    assert (await agent.launch()).last.fields["code"] == "unsupported_repository"
    builder.failure = None
    assert (await agent.launch()).last.phase is Phase.READY
    assert len(builder.plans) == 3


async def test_a_builder_that_crashes_is_the_members_fault(agent: AgentServer) -> None:
    agent.stack.builder.failure = RuntimeError("secret /path")
    failed = (await agent.launch()).last
    assert failed.fields["code"] == MemberBuildFailed.code
    assert failed.fields["fault"] == "member"
    assert "secret" not in failed.to_json()
    assert agent.context.sessions.usage().total == 0


async def test_keepalives_come_while_nothing_happens() -> None:
    stack = FakeStack()
    stack.builder.may_finish.clear()
    async with running_agent(stack, keepalive_seconds=0.05) as agent:
        following = asyncio.create_task(agent.launch())  # noqa: TID251 - a test's own
        await asyncio.sleep(0.5)
        stack.builder.may_finish.set()
        seen = await following
    assert seen.keepalives >= 5


async def test_the_stream_stays_open_after_ready_until_the_client_closes() -> None:
    headers = {"Accept": "text/event-stream"}
    async with running_agent(open_builds=True, keepalive_seconds=0.05) as open_agent:
        after = 0
        async with open_agent.client.stream("GET", f"/build/{PATH}", headers=headers) as answer:
            async for line in answer.aiter_lines():
                after += after > 0 or '"phase": "ready"' in line
                if after > 6:
                    break
        assert len(open_agent.stack.hub.servers) == 1, "the session outlives the stream"


async def test_a_client_that_stops_reading_holds_nobody_up() -> None:
    """It loses lines, and is told; the launch goes on and no memory fills."""
    stack = FakeStack()
    stack.builder.lines = [f"{number} {'x' * 1000}" for number in range(20_000)]
    headers = {"Accept": "text/event-stream"}
    async with (
        running_agent(stack, open_builds=True) as agent,
        agent.client.stream("GET", f"/build/{PATH}", headers=headers) as answer,
    ):
        lines = answer.aiter_lines()
        await anext(lines)

        async def is_ready() -> bool:
            return any(server.ready for server in stack.hub.servers.values())

        await eventually(is_ready, what="the launch to go on")
        text = ""
        async for line in lines:
            text += line if '"phase": "building"' not in line or "left out" in line else ""
            if '"phase": "ready"' in line:
                break
    assert "lines left out" in text
    assert '"phase": "launching"' in text


async def test_a_stop_tells_who_watches_and_leaves_nothing() -> None:
    stack = FakeStack()
    stack.hub.starts_by_themselves = False
    async with running_agent(stack) as agent:
        following = asyncio.create_task(agent.launch())  # noqa: TID251 - a test's own

        async def is_starting() -> bool:
            return bool(stack.hub.servers)

        await eventually(is_starting, what="the server to start")
        assert stack.hub.users
        await agent.stop()
        seen = await following
    assert seen.last.phase is Phase.FAILED
    assert seen.last.fields["fault"] == "member"
    assert "stopping" in seen.last.message
    assert not stack.hub.users
    assert stack.is_closed
