"""What browser tests share."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.support.browser import PageErrors, browser, page_errors, watched_page
from tests.support.page_modules import modules
from tests.support.scripted_federation import ScriptedFederation, scripted_federation

__all__ = ["browser", "modules", "page_errors"]

expect.set_options(timeout=30_000)  # a loaded machine is slow, not wrong


@pytest_asyncio.fixture(loop_scope="session")
async def federation() -> AsyncIterator[ScriptedFederation]:
    """The pages, and launches that a test tells."""
    async with scripted_federation() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def page(
    browser: Browser, page_errors: PageErrors, federation: ScriptedFederation
) -> AsyncIterator[Page]:
    """A fresh page. It needs the federation so that it is closed first: it keeps asking."""
    async with watched_page(browser, errors=page_errors) as fresh:
        yield fresh
