"""The command as a user runs it, against a real federation."""

import asyncio
import json
import sys

import pytest

from binder_federation import __version__
from tests.support.fake_member import Failure, FakeMember
from tests.support.federation_server import FederationServer, running_federation

LAUNCH = f"gh/owner/repository/{'1' * 40}"


async def binderfed(*arguments: str, url: str = "") -> tuple[int, str, str]:
    """Run the command; its status, output and errors."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "binder_federation.federation.cli.main",
        *arguments,
        *(["--federation", url] if url else []),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


@pytest.fixture
async def member():  # type: ignore[no-untyped-def]
    alpha = FakeMember("alpha")
    await alpha.start()
    yield alpha
    await alpha.stop()


@pytest.fixture
async def federation(member: FakeMember):  # type: ignore[no-untyped-def]
    async with running_federation([member]) as server:
        yield server


async def test_launch_prints_the_url_and_nothing_else(federation: FederationServer) -> None:
    status, output, errors = await binderfed(
        "launch", LAUNCH, "--path", "a b/index.ipynb", url=federation.url
    )

    assert status == 0, errors
    assert output.endswith("/user/x/lab/tree/a%20b/index.ipynb?token=secret\n")
    assert output.count("\n") == 1
    assert "alpha" in errors


async def test_launch_that_fails_says_why(federation: FederationServer, member: FakeMember) -> None:
    member.fail_next(Failure.BUILD_FAILS)

    status, output, errors = await binderfed("launch", LAUNCH, url=federation.url)

    assert status == 1
    assert output == ""
    assert "nosuchthing" in errors
    assert "Traceback" not in errors


async def test_launch_of_nonsense_says_what_is_wrong(federation: FederationServer) -> None:
    status, _, errors = await binderfed("launch", "nosuch/x/y", url=federation.url)

    assert status == 1
    assert "gh, gist, gl" in errors


async def test_launch_as_json_lines(federation: FederationServer) -> None:
    status, output, _ = await binderfed("launch", LAUNCH, "--json", url=federation.url)

    events = [json.loads(line) for line in output.splitlines()]
    assert status == 0
    assert events[-1]["phase"] == "ready"


async def test_members_as_a_table_and_as_json(federation: FederationServer) -> None:
    status, table, _ = await binderfed("members", url=federation.url)
    _, as_json, _ = await binderfed("members", "--json", url=federation.url)

    assert status == 0
    assert "alpha" in table
    assert "up" in table
    assert json.loads(as_json)[0]["name"] == "alpha"


@pytest.mark.parametrize("command", [("members",), ("launch", LAUNCH)])
async def test_nobody_there_is_one_clear_sentence(command: tuple[str, ...]) -> None:
    status, _, errors = await binderfed(*command, url="http://127.0.0.1:9")

    assert status == 1
    assert "Nobody answers at http://127.0.0.1:9." in errors
    assert "binderfed up" in errors
    assert "Traceback" not in errors


async def test_version_and_help_teach() -> None:
    status, output, _ = await binderfed("version")
    assert (status, output) == (0, f"binderfed {__version__}\n")
    for command in ((), ("up",), ("serve",), ("launch",), ("members",)):
        status, output, _ = await binderfed(*command, "--help")
        assert status == 0
        assert "usage: binderfed" in output


async def test_a_wrong_setting_is_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "federation.yaml"
    file.write_text("prot: 8080\n")

    status, _, errors = await binderfed("serve", "--config", str(file))

    assert status == 1
    assert "prot" in errors
    assert "Traceback" not in errors
