"""What a joiner calls itself reaches the operator's terminal as text, and as nothing else."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from binder_federation.federation.cli.main import main
from binder_federation.federation.steering.audit import Actor
from tests.support.fake_member import FakeMember
from tests.support.federation_server import ADMIN_TOKEN, FederationServer, running_federation

EVIL = "\x1b[2J\x1b]0;owned\x07\u202e[red]x[/red]\x9b31m"


@pytest.fixture
async def federation(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FederationServer]:
    monkeypatch.setenv("BINDERFED_ADMIN_TOKEN", ADMIN_TOKEN)
    member = FakeMember("alpha")
    await member.start()
    async with running_federation([member]) as server:
        # As an earlier version may have kept it.
        await server.context.steering.change(
            lambda document: document,
            actor=Actor("invitation"),
            action="join",
            subject="uni-x",
            detail=EVIL,
            reason=EVIL,
        )
        yield server
    await member.stop()


@pytest.mark.parametrize("command", [["audit"], ["audit", "--json"], ["steering"], ["members"]])
async def test_no_control_character_is_printed(
    federation: FederationServer, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    capsys.readouterr()
    status = await asyncio.to_thread(main, [*command, "--federation", federation.url])
    printed = capsys.readouterr().out
    assert status == 0
    for character in "\x1b\x07\x9b\u202e":
        assert character not in printed


async def test_a_joiners_own_words_are_cleaned(federation: FederationServer) -> None:
    client = federation.client
    made = await client.post("/api/admin/invitations", json={"name": "uni-x"})
    body = {
        "token": made.json()["token"],
        "agent_id": "a" * 20,
        "url": "https://uni.example",
        "stack": EVIL,
        "version": EVIL,
    }
    assert (await client.post("/api/join", json=body)).status_code == 201
    entries = (await client.get("/api/admin/audit")).json()["entries"]
    [join] = [each for each in entries if each["subject"] == "uni-x" and "uni.ex" in each["detail"]]
    assert "\x1b" not in join["detail"]


@pytest.mark.parametrize("name", ["none", "all", "federation", "unknown"])
async def test_words_with_a_meaning_are_no_names(federation: FederationServer, name: str) -> None:
    answer = await federation.client.post("/api/admin/invitations", json={"name": name})
    assert answer.status_code == 400
    assert "has a meaning already" in answer.json()["message"]


async def test_the_feed_of_another_name_is_kept_by_nobody(federation: FederationServer) -> None:
    answer = await federation.client.get("/status.atom", headers={"Host": "evil.example"})
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Vary"] == "Host"
