"""Draining at the institution's word: no new launches, those that run stay, over restarts."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from binder_federation.binder.events import Phase
from binder_federation.cluster_agent.cli import main
from tests.support.agent_server import CREDENTIAL, AgentServer, running_agent
from tests.support.eventually import eventually
from tests.support.report_receiver import ReportReceiver
from tests.support.warm_agents import pool_of, until_warm

OPERATOR = {"Authorization": f"Bearer {CREDENTIAL}"}


async def ask(agent: AgentServer, method: str, **arguments: Any) -> dict[str, Any]:
    answer = await agent.client.request(method, "/api/drain", headers=OPERATOR, **arguments)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_while_it_drains_launches_are_refused_and_sessions_stay(tmp_path: Path) -> None:
    async with running_agent(state_dir=tmp_path) as agent:
        before = await agent.launch()
        told = await ask(agent, "PUT", json={"reason": "new disks"})
        refused = await agent.launch()
        still = await ask(agent, "GET")
        await ask(agent, "DELETE")
        after = await agent.launch()

    assert told == {"draining": True, "reason": "new disks", "sessions": 1}
    assert refused.status == 429
    assert still["sessions"] == 1, "who is there stays"
    assert before.last.phase is after.last.phase is Phase.READY


async def test_nobody_is_waited_for_while_it_drains(tmp_path: Path) -> None:
    async with running_agent(state_dir=tmp_path, warm=pool_of(3)) as agent:
        await agent.launch()
        await until_warm(agent, 3)
        await ask(agent, "PUT", json={})
        await until_warm(agent, 0)

        async def is_alone() -> bool:
            return len(agent.stack.hub.users) == 1

        await eventually(is_alone, what="the warm servers to be gone, and the session to stay")
        await ask(agent, "DELETE")
        await until_warm(agent, 3)


async def test_a_restart_keeps_the_word(tmp_path: Path) -> None:
    async with running_agent(state_dir=tmp_path) as agent:
        await ask(agent, "PUT", json={"reason": "new disks"})
    async with running_agent(state_dir=tmp_path) as agent:
        told = await ask(agent, "GET")
        await ask(agent, "DELETE")
    async with running_agent(state_dir=tmp_path) as agent:
        ended = await ask(agent, "GET")

    assert (told["draining"], told["reason"]) == (True, "new disks")
    assert ended["draining"] is False


async def test_a_broken_file_counts_as_a_drain(tmp_path: Path) -> None:
    (tmp_path / "drain.json").write_text("{")
    async with running_agent(state_dir=tmp_path) as agent:
        assert (await ask(agent, "GET"))["draining"] is True


@pytest.mark.parametrize("given", ["", "Bearer wrong", f"Basic {CREDENTIAL}"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_the_operator_may(agent: AgentServer, method: str, given: str) -> None:
    headers = {"Authorization": given} if given else {}
    answer = await agent.client.request(method, "/api/drain", headers=headers)
    assert answer.status_code == 403
    assert agent.context.draining.current is None


async def test_the_federation_hears_of_it_at_once(tmp_path: Path) -> None:
    async with (
        ReportReceiver() as receiver,
        running_agent(
            state_dir=tmp_path, federation_url=receiver.url, report_every_seconds=60
        ) as agent,
    ):

        async def is_known(draining: bool) -> bool:
            return bool(receiver.reports) and receiver.reports[-1].draining is draining

        await eventually(lambda: is_known(False), what="the first report")
        await ask(agent, "PUT", json={})
        await eventually(lambda: is_known(True), what="the report that says so")


async def test_the_command_asks_the_agent_of_its_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:

    async with running_agent(state_dir=tmp_path) as agent:
        settings = tmp_path / "agent.yaml"
        settings.write_text(f"name: alpha\ncredential: {CREDENTIAL}\nhost: 127.0.0.1\n")
        options = ["--config", str(settings), "--url", agent.url]

        status = await asyncio.to_thread(main, ["drain", "--reason", "new disks", *options])
        drain = agent.context.draining.current
        ended = await asyncio.to_thread(main, ["undrain", *options])

        assert (status, ended) == (0, 0), capsys.readouterr().err
        assert drain is not None
        assert drain.reason == "new disks"
        assert agent.context.draining.current is None
    output = capsys.readouterr().out
    assert "alpha is draining; 0 sessions run." in output
    assert "alpha is taking launches; 0 sessions run." in output

    nobody = await asyncio.to_thread(main, ["drain", *options])
    assert nobody == 1
    assert "No agent answers" in capsys.readouterr().err


@pytest.mark.parametrize("body", ["{", "[]", '{"reason": 7}', b"\xff"])
async def test_a_reason_that_is_no_text_drains_nothing(tmp_path: Path, body: str | bytes) -> None:
    async with running_agent(state_dir=tmp_path) as agent:
        headers = {"Authorization": f"Bearer {CREDENTIAL}"}
        answer = await agent.client.put("/api/drain", content=body, headers=headers)
        told = await ask(agent, "GET")

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_drain")
    assert told["draining"] is False
