"""Every page in every look: nobody is shut out, and the screenshots to judge it by."""

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from binder_federation.binder.events import Phase
from binder_federation.config.pages import FooterLink, PageSettings
from binder_federation.federation.previews.notebook_html import render
from tests.support.accessibility import find_barriers
from tests.support.browser import DESKTOP, PHONE, PageErrors, watched_page
from tests.support.notebook_files import demo_notebook
from tests.support.scripted_federation import ScriptedFederation, scripted_federation

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.filterwarnings("ignore::nbformat.warnings.MissingIDFieldWarning"),
]

LOOKS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": DESKTOP, "color_scheme": "light"},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "color_scheme": "light"},
    "phone-dark": {"viewport": PHONE, "color_scheme": "dark"},
}


async def check(page: Page, name: str, folder: Path) -> None:
    """Take a screenshot (kept where BINDERFED_PAGE_SCREENSHOTS says), then look for barriers."""
    kept = os.environ.get("BINDERFED_PAGE_SCREENSHOTS")
    path = Path(kept) if kept else folder
    await page.screenshot(path=path / f"{name}.png", full_page=True, animations="disabled")
    assert await find_barriers(page) == []


@pytest.mark.parametrize("look", LOOKS)
async def test_home(browser: Browser, tmp_path: Path, look: str) -> None:
    async with (
        scripted_federation(example="v2/gh/o/r/HEAD") as federation,
        watched_page(browser, reduced_motion="reduce", **LOOKS[look]) as page,
    ):
        await page.goto(federation.url)
        await expect(page.locator("#members")).to_be_visible()
        await check(page, f"home-{look}", tmp_path)
        await page.get_by_label("Repository").fill("https://github.com/o/r/blob/main/nb.ipynb")
        await check(page, f"home-filled-{look}", tmp_path)
        await page.get_by_label("Repository").fill("no address")
        await page.get_by_label("Repository").press("Enter")
        await check(page, f"home-error-{look}", tmp_path)


@pytest.mark.parametrize("look", LOOKS)
async def test_status(browser: Browser, tmp_path: Path, look: str) -> None:
    async with (
        scripted_federation() as federation,
        watched_page(browser, reduced_motion="reduce", **LOOKS[look]) as page,
    ):
        await page.goto(f"{federation.url}/status")
        await expect(page.locator("#headline")).to_contain_text("1 of 3 members takes launches")
        await check(page, f"status-{look}", tmp_path)


@pytest.mark.parametrize("look", LOOKS)
async def test_loading(browser: Browser, tmp_path: Path, look: str) -> None:
    async with (
        scripted_federation() as federation,
        watched_page(browser, reduced_motion="reduce", **LOOKS[look]) as page,
    ):
        await page.goto(f"{federation.url}/v2/gh/binder-federation/a-repository-with-a-long-name/x")
        await launch_until_building(page, federation)
        await check(page, f"loading-{look}", tmp_path)
        await page.locator("#log summary").click()
        await check(page, f"loading-log-{look}", tmp_path)


async def launch_until_building(page: Page, federation: ScriptedFederation) -> None:
    launch = await federation.next_launch()
    known = {"member": "beta", "reason_phrase": "beta took over from alpha", "eta_seconds": 40}
    told = "alpha stopped answering. Going on at beta."
    await launch.say(Phase.WAITING, told, failover=True, **known)
    colours = "".join(f"\x1b[{code}mcolour {code}\x1b[0m " for code in range(30, 38))
    await launch.say(Phase.BUILDING, f"{colours}\n\x1b[1mbold\x1b[0m \x1b[2mdim\x1b[0m", **known)
    await expect(page.locator("#log-count")).to_have_text("3 lines")


@pytest.mark.parametrize("look", LOOKS)
async def test_failures(browser: Browser, tmp_path: Path, look: str) -> None:
    errors = PageErrors(allowed=["400 (Bad Request)"])
    async with (
        scripted_federation() as federation,
        watched_page(browser, errors=errors, reduced_motion="reduce", **LOOKS[look]) as page,
    ):
        await page.goto(f"{federation.url}/v2/gh/o/r/HEAD")
        launch = await federation.next_launch()
        await launch.say(Phase.BUILDING, "Installing panads", member="alpha")
        await launch.say(
            Phase.FAILED,
            "No version of panads was found; requirements.txt asks for it.",
            code="build_failed",
            fault="repository",
            member="alpha",
        )
        await expect(page.locator("#failure")).to_be_visible()
        await check(page, f"failed-{look}", tmp_path)
        await page.get_by_role("button", name="Try again").click()
        launch = await federation.next_launch()
        full = {"code": "no_eligible_member", "retryable": True, "retry_after_seconds": 600}
        await launch.say(Phase.FAILED, "Every member is full.", fault="federation", **full)
        await expect(page.get_by_role("button", name="Stop waiting")).to_be_visible()
        await check(page, f"waiting-{look}", tmp_path)
        await page.goto(f"{federation.url}/v2/gh/owner")
        await check(page, f"error-{look}", tmp_path)
        await page.goto(f"{federation.url}/about")
        await check(page, f"about-{look}", tmp_path)


OPERATORS = PageSettings(
    site_name="Notebooks of the University",
    banner_html='Maintenance on Friday. <a href="https://status.uni.example">Read more</a>',
    about_html="<h2>Who runs it</h2><p>The computing centre.</p>",
    footer_links=(
        FooterLink(text="Imprint", url="https://uni.example/imprint"),
        FooterLink(text="Help", url="mailto:help@uni.example"),
    ),
)


@pytest.mark.parametrize("look", LOOKS)
async def test_an_operators_pages(browser: Browser, tmp_path: Path, look: str) -> None:
    async with (
        scripted_federation(settings=OPERATORS) as federation,
        watched_page(browser, reduced_motion="reduce", **LOOKS[look]) as page,
    ):
        await page.goto(federation.url)
        await expect(page.locator("#members")).to_be_visible()
        await check(page, f"operator-home-{look}", tmp_path)
        await page.goto(f"{federation.url}/about")
        await expect(page.get_by_role("heading", name="Who runs it")).to_be_visible()
        await page.get_by_role("button", name="Close the notice").click()
        await expect(page.locator("#banner")).to_be_hidden()
        await check(page, f"operator-about-{look}", tmp_path)
        await page.goto(federation.url)
        await expect(page.locator("#banner")).to_be_hidden()


@pytest.mark.parametrize("look", LOOKS)
async def test_a_preview(browser: Browser, tmp_path: Path, look: str) -> None:
    async with (
        scripted_federation() as federation,
        watched_page(browser, reduced_motion="reduce", **LOOKS[look]) as page,
    ):
        federation.previews["demo.ipynb"] = render("demo.ipynb", demo_notebook())
        await page.goto(f"{federation.url}/v2/gh/owner/name/HEAD?labpath=demo.ipynb")
        await launch_until_building(page, federation)
        await expect(page.locator("#preview")).to_be_visible()
        frame = page.frame_locator("#preview-frame")
        await expect(frame.get_by_role("heading", name="Waves")).to_be_visible()
        await check(page, f"preview-{look}", tmp_path)
        await page.goto(f"{federation.url}/preview/gh/o/r/HEAD?path=demo.ipynb")
        await expect(page.get_by_role("heading", name="Waves")).to_be_visible()
        await check(page, f"preview-alone-{look}", tmp_path)
