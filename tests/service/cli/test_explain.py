"""`binderfed explain` as an operator runs it, against a real federation."""

import json
from collections.abc import AsyncIterator

import pytest

from tests.service.cli.test_commands import binderfed
from tests.support.fake_member import FakeMember
from tests.support.federation_server import FederationServer, running_federation

LAUNCH = f"gh/owner/repository/{'1' * 40}"
TOKEN = "a-token-for-operators-of-this-test"


@pytest.fixture
async def federation() -> AsyncIterator[FederationServer]:
    member = FakeMember("alpha")
    await member.start()
    async with running_federation([member], admin={"token": TOKEN}) as server:
        yield server
    await member.stop()


async def test_it_prints_members_terms_and_what_decided(federation: FederationServer) -> None:
    status, output, errors = await binderfed(
        "explain", LAUNCH, "--token", TOKEN, url=federation.url
    )

    assert status == 0, errors
    assert "alpha ◀" in output
    assert "Build" in output
    assert "180.0" in output
    assert "alpha is the usual place for this repository" in output
    assert "alpha is the only member that was considered." in " ".join(output.split())


async def test_as_json_and_without_the_token(federation: FederationServer) -> None:
    status, output, _ = await binderfed(
        "explain", LAUNCH, "--json", "--token", TOKEN, url=federation.url
    )
    refused, nothing, errors = await binderfed("explain", LAUNCH, url=federation.url)

    assert status == 0
    assert json.loads(output)["chosen"] == "alpha"
    assert (refused, nothing) == (1, "")
    assert "The admin API needs its token." in errors
    assert "Traceback" not in errors
