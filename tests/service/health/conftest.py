"""A scripted member and a client."""

import ssl
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.service.health.scripted_member import ScriptedMember


@pytest.fixture
async def member() -> AsyncIterator[ScriptedMember]:
    scripted = ScriptedMember()
    await scripted.start()
    yield scripted
    await scripted.stop()


@pytest.fixture(scope="session")
def tls() -> ssl.SSLContext:
    """Made once, as reading the authorities takes longer than most of these tests."""
    return ssl.create_default_context()


@pytest.fixture
async def client(tls: ssl.SSLContext) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(verify=tls) as opened:
        yield opened
