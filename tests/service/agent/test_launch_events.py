"""An agent's own launch event log: for BinderHub's archive, and for redirected visitors."""

import json
from pathlib import Path
from typing import Any

import pytest

from binder_federation.binder.build_tokens import BuildClaims
from tests.support.agent_server import PATH, SHA, running_agent
from tests.support.fake_stack import FakeStack

CLAIMS = BuildClaims(
    audience=PATH,
    client_address="192.0.2.7",
    request="v2/gh/owner/repository/main",
    origin="https://site.example",
)


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


async def test_a_launch_leaves_a_line_with_what_was_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "launches.jsonl"
    settings = {"file": str(file), "origin": "gke.mybinder.org"}
    async with running_agent(launch_events=settings) as agent:
        await agent.launch(claims=CLAIMS)
        await agent.launch(claims=CLAIMS, query="?build_only=true")
    (line,) = lines_of(file)

    assert (line["spec"], line["ref"]) == ("owner/repository/main", SHA)
    assert (line["status"], line["build_token"]) == ("success", True)
    assert (line["origin"], line["request_origin"]) == ("gke.mybinder.org", "https://site.example")
    assert "192.0.2.7" not in json.dumps(line), "no addresses"


async def test_a_failure_leaves_a_line(tmp_path: Path) -> None:
    file = tmp_path / "launches.jsonl"
    stack = FakeStack()
    async with running_agent(
        stack, launch_events={"file": str(file)}, quota={"sessions": 0}
    ) as agent:
        await agent.launch(claims=CLAIMS)
    (line,) = lines_of(file)

    assert (line["status"], line["code"], line["origin"]) == ("failure", "pod_quota", "alpha")


@pytest.mark.parametrize(("query", "lines"), [("", 0), ("?build_token=", 1)])
async def test_launches_that_the_federation_follows_can_be_left_to_it(
    tmp_path: Path, query: str, lines: int
) -> None:
    file = tmp_path / "launches.jsonl"
    settings = {"file": str(file), "relayed": False}
    async with running_agent(launch_events=settings, open_builds=True) as agent:
        is_a_visitor = bool(query)
        headers = {"Accept": "text/event-stream"} if is_a_visitor else None
        seen = await agent.launch(claims=CLAIMS, query=query, headers=headers)

    assert seen.last.phase.value == "ready"
    assert len(lines_of(file)) == lines
