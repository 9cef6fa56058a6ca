"""The pages' modules, called in the browser that will run them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from playwright.async_api import Browser, Page

from binder_federation.federation.pages.assets import load_assets
from tests.support.browser import watched_page
from tests.support.scripted_federation import scripted_federation

CALL = "async ([module, name, args]) => (await import(module))[name](...args)"


class Modules:
    """Calls functions of the modules as they are served."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def call(self, module: str, name: str, *args: Any) -> Any:
        """The result of the exported function `name`."""
        path = load_assets().path(module)
        return await self._page.evaluate(CALL, [path, name, list(args)])

    async def run(self, module: str, script: str, *args: Any) -> Any:
        """The result of `script`, a function of the module and the arguments."""
        path = load_assets().path(module)
        code = f"async ([path, args]) => ({script})(await import(path), ...args)"
        return await self._page.evaluate(code, [path, list(args)])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def modules(browser: Browser) -> AsyncIterator[Modules]:
    async with scripted_federation() as federation, watched_page(browser) as page:
        await page.goto(f"{federation.url}/about")
        yield Modules(page)
