"""An agent joins a real federation by an invitation, keeps what comes of it, and leaves."""

import json
import stat
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from binder_federation.binder.joining import JoinState
from binder_federation.cluster_agent.membership import command
from binder_federation.cluster_agent.membership.telling import JsonTeller
from binder_federation.config.agent import AgentSettings
from binder_federation.federation.joining.invitations import make_invitation
from binder_federation.federation.joining.rotation import rotate
from binder_federation.federation.steering.audit import Actor
from binder_federation.federation.steering.document import SteeringDocument
from tests.support.agent_server import PATH, AgentServer, running_agent
from tests.support.eventually import eventually
from tests.support.federation_server import FederationServer, running_federation
from tests.support.ports import free_port

OPERATOR = Actor("operator")


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[FederationServer]:
    async with running_federation(
        [],
        steering={"file": str(tmp_path / "steering.json")},
        joining={"test_repository": PATH, "first_pause_seconds": 0.2},
    ) as server:
        yield server


async def invite(federation: FederationServer, name: str = "alpha") -> str:
    tokens: list[str] = []

    def edit(document: SteeringDocument) -> SteeringDocument:
        changed, token = make_invitation(document, name, 1.0, 3600, OPERATOR, time.time())
        tokens.append(token)
        return changed

    await federation.context.steering.change(
        edit, actor=OPERATOR, action="invite", subject=name, reason="a test"
    )
    return tokens[-1]


def joining_agent(
    federation: FederationServer, state_dir: Path, token: str, **settings: Any
) -> AbstractAsyncContextManager[AgentServer]:
    port = free_port()
    join = {"url": federation.url, "agent_url": f"http://127.0.0.1:{port}"}
    values = {
        "credential": None,
        "state_dir": state_dir,
        "port": port,
        "report_every_seconds": 0.1,
        "join": {**join, "token": token} if token else join,
        **settings,
    }
    return running_agent(**values)


async def membership_check(agent: AgentServer) -> dict[str, Any]:
    checks = (await agent.client.get("/health")).json()["checks"]
    found: dict[str, Any] = next(each for each in checks if each["service"] == "Membership")
    return found


async def test_an_invitation_is_all_that_an_agent_needs(
    federation: FederationServer, tmp_path: Path
) -> None:
    token = await invite(federation)

    async with joining_agent(federation, tmp_path / "agent", token) as agent:

        async def is_admitted() -> bool:
            return JoinState.ADMITTED in (await membership_check(agent)).get("message", "")

        await eventually(is_admitted, what="the federation to admit the agent", within_seconds=60)
        seen = await federation.launch(PATH)
        assert seen.last.phase.value == "ready", seen.events

    kept = tmp_path / "agent" / "membership.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert token not in kept.read_text(), "a used invitation is worth nothing, and is not kept"


async def test_a_restart_needs_no_invitation(federation: FederationServer, tmp_path: Path) -> None:
    token = await invite(federation)
    async with joining_agent(federation, tmp_path / "agent", token) as first:
        await eventually(lambda: _is_known(first), what="the agent to join")
        before = first.context.identity.signing_keys

    for given in (token, ""):
        async with joining_agent(federation, tmp_path / "agent", given) as again:
            assert again.context.identity.signing_keys == before
            assert (await membership_check(again))["ok"]


async def _is_known(agent: AgentServer) -> bool:
    return agent.context.identity.is_known


def _credential(agent: AgentServer) -> str:
    return agent.context.identity.signing_keys[0].credential


async def test_an_agent_that_is_not_invited_says_so_and_takes_no_launch(
    federation: FederationServer, tmp_path: Path
) -> None:
    token = "bfi_nobody.0123456789abcdef0123456789"

    async with joining_agent(federation, tmp_path / "agent", token) as agent:

        async def is_told() -> bool:
            return "invitation" in (await membership_check(agent))["message"]

        await eventually(is_told, what="the refusal to be shown by /health")
        assert not (await membership_check(agent))["ok"]
        assert (await agent.client.get("/health")).status_code == 503
        assert (await agent.launch()).status == 403


async def test_a_rotated_credential_is_stored_and_then_used(
    federation: FederationServer, tmp_path: Path
) -> None:
    token = await invite(federation)
    async with joining_agent(federation, tmp_path / "agent", token) as agent:
        await eventually(lambda: _is_known(agent), what="the agent to join")
        before = agent.context.identity.signing_keys[0]

        await federation.context.steering.change(
            lambda document: rotate(document, "alpha", now=time.time(), grace_seconds=60),
            actor=OPERATOR,
            action="rotate",
            subject="alpha",
        )

        async def is_new() -> bool:
            key = agent.context.identity.signing_keys[0]
            return key.generation == 2 and key.credential != before.credential

        await eventually(is_new, what="the agent to have the next credential")
        stored = json.loads((tmp_path / "agent" / "membership.json").read_text())["membership"]
        assert stored["credential"] == agent.context.identity.signing_keys[0].credential
        assert stored["previous"] == before.credential
        assert before.credential in agent.context.identity.accepted, "launches are under way"


async def test_the_command_joins_and_shows_what_the_federation_sees(
    federation: FederationServer, tmp_path: Path
) -> None:
    """The agent that serves takes up what the command stored beside it."""
    token = await invite(federation)
    async with joining_agent(federation, tmp_path / "agent", "") as agent:
        settings = agent.context.settings
        given = settings.model_dump() | {"join": {**settings.join.model_dump(), "token": token}}
        teller = JsonTeller()

        is_admitted = await command.join(AgentSettings(**given), teller=teller, wait_seconds=60)

        told = json.loads(teller.to_text())
        assert is_admitted, told
        assert told["state"] == "admitted"
        assert {check["name"]: check["ok"] for check in told["local"]} == {
            "federation": True,
            "version": True,
            "clock": True,
            "address": True,
            "agent": True,
            "storage": True,
        }
        assert all(check["ok"] for check in told["federation"]), told["federation"]

        again = JsonTeller()
        assert await command.join(AgentSettings(**given), teller=again, wait_seconds=60)
        assert "local" not in json.loads(again.to_text()), "nothing is exchanged twice"


async def test_leaving_drains_and_forgets(federation: FederationServer, tmp_path: Path) -> None:
    token = await invite(federation)
    async with joining_agent(federation, tmp_path / "agent", token) as agent:
        await eventually(lambda: _is_known(agent), what="the agent to join")
        seen = await agent.launch(claims=None, credential=_credential(agent))
        assert seen.last.phase.value == "ready", seen.events
        settings = agent.context.settings

        assert not await command.leave(settings, teller=JsonTeller(), wait_seconds=0.5), (
            "a session runs"
        )
        assert [agent.context.draining.current is None, agent.context.identity.is_known] == [
            False,
            True,
        ]

        assert await command.leave(settings, teller=JsonTeller(), wait_seconds=0)
        assert agent.context.draining.current is None, "another invitation begins anew"
        kept = json.loads((tmp_path / "agent" / "membership.json").read_text())
        assert "membership" not in kept

        async def is_forgotten() -> bool:
            return not agent.context.identity.is_known

        await eventually(is_forgotten, what="the agent to be no member any more")
        assert (await agent.launch()).status == 403


async def test_an_invitation_for_another_name_is_not_used_as_this_one(
    federation: FederationServer, tmp_path: Path
) -> None:
    token = await invite(federation, "beta")
    async with joining_agent(federation, tmp_path / "agent", token) as agent:

        async def is_told() -> bool:
            return "Set name: beta" in (await membership_check(agent))["message"]

        await eventually(is_told, what="the agent to say which name is right")
        assert not agent.context.identity.is_known
