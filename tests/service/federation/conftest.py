"""Members and a federation for the tests of this folder."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.support.fake_member import FakeMember
from tests.support.federation_server import FederationServer, running_federation
from tests.support.fleets import FLEETS, Fleet, running_fleet
from tests.support.redis_fixtures import redis_server as redis_server
from tests.support.redis_fixtures import redis_servers as redis_servers


@pytest.fixture
async def alpha() -> AsyncIterator[FakeMember]:
    member = FakeMember("alpha")
    await member.start()
    yield member
    await member.stop()


@pytest.fixture
async def beta() -> AsyncIterator[FakeMember]:
    member = FakeMember("beta")
    await member.start()
    yield member
    await member.stop()


@pytest.fixture
async def federation(alpha: FakeMember, beta: FakeMember) -> AsyncIterator[FederationServer]:
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(running_federation([alpha, beta]))


@pytest.fixture(params=FLEETS)
async def fleet(request: pytest.FixtureRequest) -> AsyncIterator[Fleet]:
    """Members of every kind; see tests/support/fleets.py."""
    async with running_fleet(request.param) as running:
        yield running


@pytest.fixture
async def federated(fleet: Fleet) -> AsyncIterator[FederationServer]:
    """A federation of the fleet."""
    async with running_federation(fleet.members) as server:
        yield server
