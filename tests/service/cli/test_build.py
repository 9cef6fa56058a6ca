"""`binderfed build`, as CI runs it."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from binder_federation.binder.events import Phase
from binder_federation.federation.cli.main import main
from tests.support.eventually import eventually
from tests.support.fake_member import Failure, FakeMember
from tests.support.federation_server import ADMIN_TOKEN, SHA, FederationServer, running_federation

SPEC = f"gh/owner/repository/{SHA}"


@pytest.fixture
async def members() -> AsyncIterator[list[FakeMember]]:
    members = [FakeMember("alpha"), FakeMember("beta")]
    for member in members:
        await member.start()
    yield members
    for member in members:
        await member.stop()


@pytest.fixture
async def federation(members: list[FakeMember]) -> AsyncIterator[FederationServer]:
    async with running_federation(members) as federation:
        yield federation


@pytest.fixture(autouse=True)
def operator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who runs the command has the federation's token."""
    monkeypatch.setenv("BINDERFED_TOKEN", ADMIN_TOKEN)


async def build(federation: FederationServer, *arguments: str) -> int:
    """The command's exit status; it runs in a thread, so that the federation can answer it."""
    command = ["build", SPEC, *arguments, "--federation", federation.url]
    return await asyncio.to_thread(main, command)


async def test_it_waits_until_all_members_have_the_image(
    federation: FederationServer, members: list[FakeMember], capsys: pytest.CaptureFixture[str]
) -> None:
    status = await build(federation, "--all-members")
    output = capsys.readouterr().out

    assert status == 0
    assert [member.builds.total() for member in members] == [1, 1]
    assert "alpha" in output
    assert "beta" in output


async def test_json_is_the_last_state(
    federation: FederationServer, capsys: pytest.CaptureFixture[str]
) -> None:
    status = await build(federation, "--members", "beta", "--json")
    output = capsys.readouterr().out
    state: dict[str, Any] = json.loads(output[output.index("{\n") :])  # after the federation's log

    assert status == 0
    assert [part["member"] for part in state["members"]] == ["beta"]
    assert state["outcome"] == "ready"


@pytest.mark.parametrize(
    ("failure", "status", "words"),
    [
        (Failure.BUILD_FAILS, 3, "nosuchthing"),
        (Failure.RESET_AT_BUILDING, 4, "stopped answering"),
    ],
)
async def test_the_exit_status_tells_whose_fault_it_is(
    federation: FederationServer,
    members: list[FakeMember],
    capsys: pytest.CaptureFixture[str],
    failure: Failure,
    status: int,
    words: str,
) -> None:
    members[0].fail_next(failure)

    assert await build(federation, "--all-members") == status
    output = capsys.readouterr().out
    assert words in " ".join(output.split()), "the table says why"
    assert "ready" in output, "the other member has it"


async def test_a_refusal_is_a_sentence(
    federation: FederationServer, capsys: pytest.CaptureFixture[str]
) -> None:
    status = await build(federation, "--members", "nobody")

    assert status == 1
    assert "no member of the name 'nobody'" in capsys.readouterr().err


async def test_the_time_may_be_over_and_ctrl_c_is_clean(
    federation: FederationServer, members: list[FakeMember], capsys: pytest.CaptureFixture[str]
) -> None:
    for member in members:
        member.hold(Phase.BUILDING)
    assert await build(federation, "--all-members", "--timeout", "0.1") == 5
    assert "the members go on" in capsys.readouterr().err

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "binder_federation.federation.cli.main", "build", SPEC),
        *("--members", "alpha", "--federation", federation.url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # Whoever runs the tests in the background has it ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )

    async def is_under_way() -> bool:
        return federation.context.prebuilds.under_way == 2

    await eventually(is_under_way, what="the command to have asked")
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(30):
        _, errors = await process.communicate()
    for member in members:
        member.go_on()

    assert process.returncode == 130
    assert b"The members go on" in errors
    assert b"Traceback" not in errors
