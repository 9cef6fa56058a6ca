"""The build log on the loading page."""

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from binder_federation.binder.events import Phase
from tests.support.scripted_federation import (
    ScriptedFederation,
    ScriptedLaunch,
)

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

LINK = "/v2/gh/owner/name/HEAD"
IS_AT_END = """() => {
  const log = document.getElementById("log-lines");
  return log.scrollHeight - log.scrollTop - log.clientHeight < 2;
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def launch(page: Page, federation: ScriptedFederation) -> ScriptedLaunch:
    """A launch whose log is open."""
    await page.goto(federation.url + LINK)
    await page.locator("#log summary").click()
    return await federation.next_launch()


async def test_colours_are_shown_and_text_stays_text(page: Page, launch: ScriptedLaunch) -> None:
    hostile = "<img src=x onerror=document.title='hacked'><script>alert(1)</script>"
    await launch.say(Phase.BUILDING, "\x1b[1;32mdone\x1b[0m 10%\r100%")
    await launch.say(Phase.BUILDING, hostile)
    lines = page.locator("#log-lines .line")
    await expect(lines).to_have_text(["100% 10%", hostile])
    await expect(page.locator("#log-lines img, #log-lines script")).to_have_count(0)
    await launch.say(Phase.BUILDING, "\x1b[1;31mred\x1b[0m")
    await expect(page.locator(".ansi-red.ansi-bold")).to_have_text("red")


async def test_it_follows_its_end_unless_somebody_reads(page: Page, launch: ScriptedLaunch) -> None:
    await launch.say(Phase.BUILDING, "\n".join(f"line {n}" for n in range(200)))
    await expect(page.locator("#log-count")).to_have_text("200 lines")
    assert await page.evaluate(IS_AT_END)
    await page.locator("#log-lines").evaluate("(log) => { log.scrollTop = 100; }")
    await launch.say(Phase.BUILDING, "line 200")
    await expect(page.locator("#log-count")).to_have_text("201 lines")
    assert await page.locator("#log-lines").evaluate("(log) => log.scrollTop") == 100


async def test_a_very_long_log_keeps_its_end(page: Page, launch: ScriptedLaunch) -> None:
    for start in range(0, 6000, 1500):
        text = "\n".join(f"line {n}" for n in range(start, start + 1500))
        await launch.say(Phase.BUILDING, text)
    await expect(page.locator("#log-count")).to_have_text("6,000 lines")
    lines = page.locator("#log-lines .line")
    await expect(lines).to_have_count(5000)
    await expect(lines.first).to_have_text("line 1000")
    await expect(lines.last).to_have_text("line 5999")


async def test_open_or_closed_is_remembered(
    page: Page, launch: ScriptedLaunch, federation: ScriptedFederation
) -> None:
    await page.reload()
    await expect(page.locator("#log")).to_have_attribute("open", "")
    await page.locator("#log summary").press("Enter")
    await page.reload()
    await expect(page.locator("#log-lines")).to_be_hidden()


async def test_the_raw_view_is_plain_text_in_a_new_tab(page: Page, launch: ScriptedLaunch) -> None:
    await launch.say(Phase.BUILDING, "\x1b[32mgreen\x1b[0m & <b>plain</b>")
    await expect(page.locator("#log-lines .line")).to_have_count(1)
    async with page.context.expect_page() as opened:
        await page.get_by_role("button", name="Raw view").click()
    raw = await opened.value
    await expect(raw.locator("body")).to_have_text("green & <b>plain</b>")


async def test_the_log_can_be_copied(page: Page, launch: ScriptedLaunch) -> None:
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await launch.say(Phase.BUILDING, "first\nsecond")
    await expect(page.locator("#log-lines .line")).to_have_count(2)
    await page.get_by_role("button", name="Copy").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == "first\nsecond\n"
