"""The commands that steer, against a real federation."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from binder_federation.federation.cli.main import main
from tests.support.fake_member import FakeMember
from tests.support.federation_server import FederationServer, running_federation

TOKEN = "the-token-of-those-who-may-do-everything"
LOGGED = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[.*\n", re.MULTILINE)
"""The federation runs in this process, and logs to the same output."""
Run = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def federation() -> AsyncIterator[FederationServer]:
    async with AsyncExitStack() as stack:
        members = [FakeMember("uni-x"), FakeMember("uni-y")]
        for member in members:
            await member.start()
            stack.push_async_callback(member.stop)
        settings = {
            "admin": {"token": TOKEN},
            "joining": {"key": "a-key-for-the-credentials-of-those-who-join"},
        }
        yield await stack.enter_async_context(running_federation(members, **settings))


@pytest.fixture
def run(
    federation: FederationServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run a command in this process, with the token in its variable."""
    monkeypatch.setenv("BINDERFED_ADMIN_TOKEN", TOKEN)
    monkeypatch.setenv("BINDERFED_URL", federation.url)
    monkeypatch.setenv("COLUMNS", "250")

    async def run_it(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = await asyncio.to_thread(main, arguments)
        told = capsys.readouterr()
        return status, LOGGED.sub("", told.out), told.err

    return run_it


async def test_weights_and_ramps_say_what_is_in_force(run: Run) -> None:
    weight = await run("weight", "uni-x", "5", "--for", "7d", "--reason", "half is away")
    ramp = await run("ramp", "uni-x", "--to", "10", "--over", "2h")
    usual = await run("weight", "uni-x", "usual")
    wrong = await run("weight", "uni-x", "heavy")

    assert "uni-x has weight 5 (usually 1) until 20" in weight[1], weight
    assert "uni-x goes from weight 5 to 10, reached on 20" in ramp[1], ramp
    assert usual[:2] == (0, "uni-x has its usual weight, 1.\n")
    assert wrong[0] == 1
    assert "'heavy' is no weight" in wrong[2]


async def test_a_drain_waits_until_no_session_runs(run: Run, federation: FederationServer) -> None:
    drained = await run("drain", "uni-x", "--reason", "new disks", "--for", "2h")
    last = await run("drain", "uni-y", "--reason", "too")
    shown = await run("steering")
    undrained = await run("undrain", "uni-x")

    assert drained[0] == 0, drained
    assert "uni-x takes no new launches until 20" in drained[1]
    assert last[0] == 1
    assert "--force" in last[2]
    assert "new disks" in shown[1]
    assert undrained[1] == "uni-x takes launches again.\n"


async def test_bans_and_quotas_come_and_go(run: Run) -> None:
    spec = await run("ban", "spec", "^gh/x/.*", "--reason", "mines", "--for", "7d")
    network = await run(
        "ban", "network", "192.0.2.0/24", "--label", "Example", "--reason", "floods"
    )
    everybody = await run("ban", "spec", ".*", "--reason", "oops")
    quota = await run("quota", "event", "gh/org/course", "--sessions", "300", "--for", "2d")
    shown = await run("steering", "--json")
    unbanned = await run("unban", "192.0.2.0/24")
    steering = json.loads(shown[1])
    ended = await run("quota", "remove", steering["quotas"][0]["id"])

    assert "Banned: ^gh/x/.* until 20" in spec[1], spec
    assert "until it is taken back" in network[1], network
    assert everybody[0] == 1
    assert "--everything" in everybody[2]
    assert "gh/org/course: at most 300 sessions (each) until 20" in quota[1], quota
    assert len(steering["bans"]) == 2
    assert (unbanned[0], ended[0]) == (0, 0)


async def test_an_invitation_is_told_with_the_institutions_command(run: Run) -> None:
    invited = await run("invite", "--name", "uni-z", "--weight", "10", "--expires", "7d")
    listed = await run("invitations")

    assert "binderfed-agent join http" in invited[1], invited
    assert " bfi_uni-z-" in invited[1]
    assert "uni-z" in listed[1]
    assert "open" in listed[1]


async def test_revoking_asks_for_the_name_or_needs_yes(run: Run) -> None:
    refused = await run("revoke", "uni-x", "--reason", "left")
    revoked = await run("revoke", "uni-x", "--reason", "left", "--yes")
    back = await run("revoke", "uni-x", "--undo")
    audit = await run("audit", "--json")

    assert refused[0] == 1
    assert "--yes" in refused[2]
    assert (revoked[0], back[0]) == (0, 0), (revoked, back)
    assert [each["action"] for each in json.loads(audit[1])] == ["restore", "revoke"]


async def test_the_token_comes_from_a_file_as_well(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("BINDERFED_ADMIN_TOKEN")
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    without = await run("steering")
    given = await run("steering", "--token-file", str(file))

    assert without[0] == 1
    assert "BINDERFED_ADMIN_TOKEN" in without[2]
    assert given[0] == 0
