"""A registry for each test, and a client of it."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.support.fake_registry import FakeRegistry


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """The HTTP client that an agent shares."""
    async with httpx.AsyncClient() as made:
        yield made


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    """A registry that is open to everybody."""
    async with FakeRegistry() as made:
        yield made
