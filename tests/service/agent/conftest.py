"""An agent for each test."""

from collections.abc import AsyncIterator

import pytest

from tests.support.agent_server import AgentServer, running_agent


@pytest.fixture
async def agent() -> AsyncIterator[AgentServer]:
    """An agent with the settings of most tests."""
    async with running_agent() as server:
        yield server
