"""The preview on the loading page: shown while there is something to wait for, and harmless."""

import pytest
from playwright.async_api import Page, expect

from binder_federation.binder.events import Phase
from binder_federation.federation.previews.notebook_html import render
from tests.support.attacks import MARKUP, hostile_notebook
from tests.support.browser import PageErrors
from tests.support.notebook_files import cell, notebook
from tests.support.scripted_federation import ScriptedFederation

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.filterwarnings("ignore::nbformat.warnings.MissingIDFieldWarning"),
]

FROM_THE_CLOCK = "Blocked script execution"
"""The clock of the tests is a script, which the frame refuses like any other."""

LINK = "/v2/gh/owner/name/HEAD?labpath=notes/first.ipynb"
FILE = "notes/first.ipynb"


async def test_the_notebook_is_shown_while_it_starts(
    page: Page, federation: ScriptedFederation, page_errors: PageErrors
) -> None:
    page_errors.allowed.append(FROM_THE_CLOCK)
    content = notebook(cell("markdown", "# A title\n\n[elsewhere](http://127.0.0.1:9/x)"))
    federation.previews[FILE] = render(FILE, content)
    await page.clock.install()
    await page.goto(federation.url + LINK)
    launch = await federation.next_launch()
    await launch.say(Phase.BUILDING, "Installing", member="alpha", eta_seconds=60)
    await expect(page.locator("#preview")).to_be_hidden()
    await page.clock.run_for(1100)
    await expect(page.locator("#preview summary")).to_have_text("Preview of first.ipynb")
    frame = page.frame_locator("iframe[title='Preview of notes/first.ipynb']")
    await expect(frame.get_by_role("heading", name="A title")).to_be_visible()
    async with page.context.expect_page() as opened:
        await frame.get_by_role("link", name="elsewhere").click()
    other = await opened.value
    assert await other.evaluate("window.opener") is None
    await other.close()
    await page.locator("#preview summary").press("Enter")
    await expect(page.locator("#preview-frame")).to_be_hidden()


async def test_a_file_without_a_preview_leaves_no_trace(
    page: Page, federation: ScriptedFederation, page_errors: PageErrors
) -> None:
    page_errors.allowed.append(FROM_THE_CLOCK)
    await page.clock.install()
    await page.goto(federation.url + LINK)
    await federation.next_launch()
    for milliseconds in (1100, 3100, 8100):
        async with page.expect_response("**/preview/**"):
            await page.clock.run_for(milliseconds)
    await page.clock.run_for(60_000)
    assert federation.previews_asked == [FILE] * 3
    await expect(page.locator("#preview")).to_be_hidden()


async def test_a_launch_that_is_ready_at_once_asks_for_no_preview(
    page: Page, federation: ScriptedFederation, page_errors: PageErrors
) -> None:
    page_errors.allowed.append(FROM_THE_CLOCK)
    await page.clock.install()
    await page.goto(federation.url + LINK)
    launch = await federation.next_launch()
    await launch.say(Phase.READY, "Ready.", url=f"{federation.url}/user/me/", token="t0")
    await page.wait_for_url("**/user/me/**")
    assert federation.previews_asked == []


async def test_nothing_in_a_preview_runs_or_loads(
    page: Page, federation: ScriptedFederation, page_errors: PageErrors
) -> None:
    """What the renderer would leave out is given to the browser as well: the frame holds it."""
    page_errors.allowed += ["Content Security Policy", FROM_THE_CLOCK, "Refused to"]
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    sent: list[str] = []
    page.on("requestfinished", lambda request: sent.append(request.url))
    blocked: dict[str, str | None] = {}
    page.on("requestfailed", lambda request: blocked.update({request.url: request.failure}))
    federation.previews[FILE] = "".join(MARKUP) + render(FILE, hostile_notebook()) + "<h6>end</h6>"
    await page.clock.install()
    await page.goto(federation.url + LINK)
    await federation.next_launch()
    await page.clock.run_for(1100)
    frame = page.frame_locator("#preview-frame")
    await expect(frame.locator("main")).to_be_attached()
    assert page.url == federation.url + LINK
    assert dialogs == []
    assert [url for url in sent if not url.startswith((federation.url, "data:"))] == []
    strange = {url: why for url, why in blocked.items() if "evil.test" in url}
    assert strange
    assert set(strange.values()) == {"csp"}
