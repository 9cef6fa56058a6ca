"""Scripts with curl: the ones that the documents give, and the ways of other people's."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.fake_member import Failure, FakeMember
from tests.support.federation_server import FederationServer, running_federation

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
TRIGGER_BUILD = ROOT / "examples" / "clients" / "trigger-build.sh"
DOCUMENTED = "https://binder.example.org"
DOCUMENTED_SPEC = "gh/binder-examples/requirements/HEAD"
SPEC = f"gh/owner/repository/{'1' * 40}"
MODES = ("stream", "redirect")
DEADLINE_SECONDS = 30


@asynccontextmanager
async def federation_of(
    member: FakeMember, mode: str = "stream"
) -> AsyncIterator[FederationServer]:
    await member.start()
    try:
        async with running_federation([member], launch={"mode": mode}) as federation:
            yield federation
    finally:
        await member.stop()


async def run(*command: str) -> tuple[int, str, str]:
    """The status of a command, and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            told, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, told.decode(), complaints.decode()


def documented_command() -> str:
    """The one in docs/clients.md."""
    text = (ROOT / "docs" / "clients.md").read_text()
    (command,) = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert DOCUMENTED in command
    return str(command)


@pytest.mark.parametrize("mode", MODES)
async def test_the_documented_line_prints_where_the_server_is(mode: str) -> None:
    command = documented_command()
    if mode == "redirect":
        command = command.replace("curl -sN", "curl -sNL")
    async with federation_of(FakeMember("alpha"), mode) as federation:
        command = command.replace(DOCUMENTED, federation.url).replace(DOCUMENTED_SPEC, SPEC)
        status, told, complaints = await run("sh", "-c", command)

    assert status == 0, complaints
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/user/x/\?token=secret\n", told), told


@pytest.mark.parametrize("mode", MODES)
async def test_a_build_that_is_triggered_from_ci(mode: str) -> None:
    member = FakeMember("alpha")
    async with federation_of(member, mode) as federation:
        status, told, complaints = await run(str(TRIGGER_BUILD), f"{federation.url}/", SPEC)
        assert status == 0, complaints
        assert told == f"{SPEC} is built.\n"
        assert member.builds[SPEC] == 1
        assert member.servers[SPEC] == 0, "nobody asked for a server"


async def test_a_build_that_fails_in_ci() -> None:
    member = FakeMember("alpha")
    member.fail_next(Failure.BUILD_FAILS)
    async with federation_of(member) as federation:
        status, _, complaints = await run(str(TRIGGER_BUILD), federation.url, SPEC)
        refused, _, why = await run(str(TRIGGER_BUILD), federation.url, "nosuch/a/b")

    assert status == 1
    assert "nosuchthing" in complaints, "CI's log shows what went wrong"
    assert refused == 1
    assert "provider" in why, why


OTHERS = {
    # to the end of the stream, which must come and be in order: repo2docker-action
    "all of it": "curl -L --connect-timeout 20 --max-time 60 '{url}'",
    "the first line that says how it ended": """
        curl -s -N -L -m 60 -H 'Accept: text/event-stream' '{url}' |
            grep -E '"phase": "(ready|failed)"' | head -1""",
    "a loop that reads lines": """
        curl -s -L --max-time 60 '{url}' | while IFS= read -r line; do
            case "$line" in *'"phase": "ready"'*) echo "$line"; break;; esac
        done""",
    "what many libraries send": "curl -sL -H 'Accept: */*' -H 'Cache-Control: no-cache' '{url}'",
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("command", OTHERS.values(), ids=OTHERS)
async def test_scripts_of_others(command: str, mode: str) -> None:
    async with federation_of(FakeMember("alpha"), mode) as federation:
        url = f"{federation.url}/build/{SPEC}"
        status, told, complaints = await run("bash", "-c", command.replace("{url}", url))

    assert status == 0, complaints
    assert '"phase": "ready"' in told, told


async def test_the_badges_of_readmes() -> None:
    async with federation_of(FakeMember("alpha")) as federation:
        for path in ("/badge.svg", "/badge_logo.svg", "/assets/images/badge.svg"):
            status, told, _ = await run("curl", "-sfL", f"{federation.url}{path}")
            assert status == 0, path
            assert told.startswith("<svg"), path
