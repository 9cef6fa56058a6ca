"""A real Chromium for tests: found on the machine, started once, watched for errors.

The browser lives in the event loop of the test session, so a test that uses it is
marked `pytest.mark.asyncio(loop_scope="session")`. A page that logs an error, or
throws one, fails its test.
"""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, ViewportSize, async_playwright

CANDIDATES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]

DESKTOP = ViewportSize(width=1100, height=900)
PHONE = ViewportSize(width=360, height=740)


def find_chromium() -> str | None:
    """Chromium's path: what `CHROMIUM` names, else the first one on PATH."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named if Path(named).is_file() else None
    return next(filter(None, map(shutil.which, CANDIDATES)), None)


@dataclass
class PageErrors:
    """What went wrong in a page. `allowed` are parts of messages that a test expects."""

    messages: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Collect the errors of `page`."""
        page.on("console", self._note_console)
        page.on("pageerror", lambda error: self.messages.append(f"uncaught: {error}"))

    def unexpected(self) -> list[str]:
        """Those that no test expects."""
        return [m for m in self.messages if not any(part in m for part in self.allowed)]

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.messages.append(f"{message.type}: {message.text}")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, started once."""
    executable = find_chromium()
    if executable is None:
        # A browser is the one thing that a machine may lack; where nothing may be skipped
        # (BINDERFED_SKIP_NOTHING=1, as in .ci/run) this fails the run.
        pytest.skip("Chromium is missing: install chromium, or name one with CHROMIUM=/path.")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        try:
            yield started
        finally:
            await started.close()


@asynccontextmanager
async def watched_page(
    browser: Browser, *, errors: PageErrors | None = None, **options: Any
) -> AsyncIterator[Page]:
    """A page of its own session; leaving it fails when there was an error in it.

    `options` are playwright's for a context: `viewport`, `color_scheme`, `java_script_enabled`.
    """
    errors = errors or PageErrors()
    context = await browser.new_context(**{"viewport": DESKTOP, **options})
    context.set_default_timeout(30_000)
    try:
        page = await context.new_page()
        errors.watch(page)
        yield page
    finally:
        await context.close()
    assert not errors.unexpected(), "The page reported errors:\n" + "\n".join(errors.unexpected())


@pytest.fixture
def page_errors() -> PageErrors:
    """The errors of this test's page, to say which ones are expected."""
    return PageErrors()
