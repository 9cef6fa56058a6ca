"""A scripted member and a client."""

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


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as opened:
        yield opened
