"""The README's first steps, on a fresh copy: `make run`, the link, a cell, Ctrl-C.

With BINDERFED_SCREENSHOTS=folder the README's pictures are taken on the way.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from tests.support.browser import PageErrors, watched_page
from tests.support.ports import free_port
from tests.support.running_up import RunningUp, processes_that_mention, running_up

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Path]:
    """A fresh copy of the project, in a folder whose name has a space, as people's have.

    For the README's pictures it has a name that looks well in them.
    """
    if not os.environ.get("BINDERFED_SCREENSHOTS"):
        yield fresh_copy(tmp_path / "binder federation")
        return
    folder = Path(tempfile.gettempdir()) / "binder-federation"
    yield fresh_copy(folder)
    shutil.rmtree(folder)


def fresh_copy(copy: Path) -> Path:
    """What a clone of the project would hold, with what is not committed yet."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=30,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            target = copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    return copy


async def test_a_fresh_copy_opens_a_notebook(copy: Path, browser: Browser) -> None:
    command = ["make", "run", f"PORT={free_port()}"]
    async with running_up(
        command,
        cwd=copy,
        state_dir=copy / ".binderfed",
        environment={"MAKEFLAGS": ""},  # a `make test` around us hands its variables on
    ) as up:
        assert "127.0.0.1 only" in up.output, "it says why it listens on loopback"
        assert set(await up.members()) == {"alpha", "beta"}
        errors = PageErrors(allowed=["/user/"])  # JupyterLab's own page is not ours to judge
        async with watched_page(browser, errors=errors) as page:
            await take_home_picture(up, page)
            await open_and_run_a_cell(up, page)
        assert await up.stop() in (0, 2, 130, -signal.SIGINT), up.output
    assert processes_that_mention(str(copy)) == [], "Ctrl-C leaves no process"


async def open_and_run_a_cell(up: RunningUp, page: Page) -> None:
    """From the printed link to a cell's output."""
    await page.goto(up.link)
    await page.get_by_text("Build log").click()
    await page.get_by_text("Using Python").wait_for()
    await picture(page, "loading")
    await page.wait_for_url("**/lab/tree/index.ipynb**", timeout=120_000)
    notebook = page.locator(".jp-Notebook")
    await notebook.wait_for(timeout=60_000)
    # Before that, JupyterLab asks which kernel to use.
    await page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)
    first_cell = page.locator(".jp-CodeCell").first
    await first_cell.locator(".cm-content").click()
    await page.keyboard.press("Shift+Enter")
    output = first_cell.locator(".jp-OutputArea-output")
    await output.first.wait_for(timeout=60_000)
    assert "Hello" in await output.first.inner_text()
    await picture(page, "notebook")


async def take_home_picture(up: RunningUp, page: Page) -> None:
    """The home page, as the README shows it."""
    await page.goto(up.url)
    await page.get_by_role("heading").first.wait_for()
    await picture(page, "home")


async def picture(page: Page, name: str) -> None:
    """Take a picture for the README, when asked to."""
    folder = os.environ.get("BINDERFED_SCREENSHOTS")
    if folder:
        (ROOT / folder).mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=ROOT / folder / f"{name}.png")
