"""A registry for each test, and a client of it."""

import ssl
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.support.fake_registry import FakeRegistry


@pytest.fixture(scope="session")
def certificates() -> ssl.SSLContext:
    """Read once: that takes longer than most tests here."""
    return ssl.create_default_context()


@pytest.fixture
async def http(certificates: ssl.SSLContext) -> AsyncIterator[httpx.AsyncClient]:
    """The HTTP client that an agent shares."""
    async with httpx.AsyncClient(verify=certificates) as made:
        yield made


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    """A registry that is open to everybody."""
    async with FakeRegistry() as made:
        yield made
