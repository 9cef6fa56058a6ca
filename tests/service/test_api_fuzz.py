"""Whatever is sent, no answer is a 500, and each is as the description says."""

from pathlib import Path
from typing import Any

from tests.support.agent_server import running_agent
from tests.support.fake_member import FakeMember
from tests.support.federation_server import SHA, running_federation
from tests.support.fuzzing import fuzz, fuzz_description

TOKEN = "the-token-of-whoever-may-do-everything"
EXAMPLES = 10


async def test_the_federations_api_holds(tmp_path: Path) -> None:
    members = [FakeMember("alpha", credential=TOKEN), FakeMember("beta", credential=TOKEN)]
    for member in members:
        await member.start()
    settings: dict[str, Any] = {
        "launch": {"hold_seconds": 0.001, "silence_seconds": 5.0},
        "providers": {"github": {"api_url": "http://127.0.0.1:9"}, "timeout_seconds": 1.0},
        "policy": {"rate_limit": {"launches": 0}},
        "admin": {"token": TOKEN},
        "builds": {"tokens": [{"name": "ci", "token": TOKEN}]},
    }
    try:
        async with running_federation(members, **settings) as federation:
            served = (await federation.client.get("/api/openapi.json")).json()
            name = {"type": "string", "enum": ["alpha"]}
            description = fuzz_description(
                served,
                resolved_ref=SHA,
                replace={"components.schemas.Report.properties.member": name},
            )
            found = await fuzz(
                federation.url,
                description,
                folder=tmp_path,
                most_examples=EXAMPLES,
                token=TOKEN,
            )
            crashed = federation.context.tasks.crashed()
    finally:
        for member in members:
            await member.stop()

    assert not found, found
    assert not crashed


async def test_an_agents_api_holds(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "open_builds": True,
        "launch": {"concurrent": 50, "hold_seconds": 0.001},
        "providers": {"github": {"api_url": "http://127.0.0.1:9"}, "timeout_seconds": 1.0},
    }
    async with running_agent(state_dir=tmp_path / "state", **settings) as agent:
        served = (await agent.client.get("/api/openapi.json")).json()
        found = await fuzz(
            agent.url,
            fuzz_description(served, resolved_ref=SHA),
            folder=tmp_path,
            most_examples=EXAMPLES,
        )
        crashed = agent.context.tasks.crashed()

    assert not found, found
    assert not crashed
