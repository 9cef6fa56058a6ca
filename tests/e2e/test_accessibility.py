"""Nobody is shut out: axe finds nothing on any page, and everything works from the keyboard.

axe-core's rules: https://dequeuniversity.com/rules/axe/
"""

from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, Page, ViewportSize, expect

from binder_federation.binder.events import Phase
from tests.support.browser import DESKTOP, PageErrors, watched_page
from tests.support.scripted_federation import ScriptedFederation, scripted_federation

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

PHONE = ViewportSize(width=375, height=740)
LOOKS: dict[str, dict[str, Any]] = {
    f"{width}-{scheme}": {"viewport": viewport, "color_scheme": scheme}
    for width, viewport in (("desktop", DESKTOP), ("phone", PHONE))
    for scheme in ("light", "dark")
}

FOCUSED = """() => {
  const element = document.activeElement;
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  return {
    name: element.ariaLabel || element.labels?.[0]?.textContent || element.textContent,
    isSeen: box.width > 0 && box.bottom > 0 && box.top < innerHeight,
    hasRing: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
  };
}"""


async def check(page: Page, name: str) -> None:
    """No rule of axe's is violated on the page as it is now."""
    results = await Axe().run(page)
    found = [
        f"{each['id']}: {each['help']}: {node['html'][:120]}"
        for each in results.response["violations"]
        for node in each["nodes"]
    ]
    assert found == [], f"{name}: " + "\n".join(found)


@pytest.mark.parametrize("look", LOOKS)
async def test_axe_finds_nothing(browser: Browser, look: str) -> None:
    errors = PageErrors(allowed=["400 (Bad Request)"])
    async with (
        scripted_federation(example="v2/gh/o/r/HEAD") as federation,
        watched_page(browser, errors=errors, reduced_motion="reduce", **LOOKS[look]) as page,
    ):
        await page.goto(federation.url)
        await expect(page.locator("#members")).to_be_visible()
        await check(page, "home")
        await page.goto(f"{federation.url}/status")
        await check(page, "status")
        await page.goto(f"{federation.url}/about")
        await check(page, "about")
        await page.goto(f"{federation.url}/v2/gh/owner")
        await check(page, "error")
        await check_a_launch(page, federation)


async def test_axe_would_find_something(page: Page, federation: ScriptedFederation) -> None:
    await page.goto(f"{federation.url}/about")
    await page.evaluate("document.querySelector('main').append(new Image(9, 9))")
    with pytest.raises(AssertionError, match="image-alt"):
        await check(page, "about")


async def check_a_launch(page: Page, federation: ScriptedFederation) -> None:
    await page.goto(f"{federation.url}/v2/gh/o/r/HEAD")
    launch = await federation.next_launch()
    await launch.say(Phase.BUILDING, "Installing panads", member="alpha", eta_seconds=40)
    await expect(page.locator("#log-count")).to_have_text("1 line")
    await page.locator("#log summary").click()
    await check(page, "loading")
    failure = {"code": "build_failed", "fault": "repository", "member": "alpha"}
    await launch.say(Phase.FAILED, "No version of panads was found.", **failure)
    await expect(page.locator("#failure")).to_be_visible()
    await check(page, "failed")


async def walk(page: Page, steps: int) -> list[str]:
    """The names of what gets the focus; each is in sight and has a ring."""
    names = []
    for _ in range(steps):
        await page.keyboard.press("Tab")
        focused = await page.evaluate(FOCUSED)
        name = " ".join(str(focused["name"]).split())
        assert focused["isSeen"], f"{name} has the focus and is out of sight"
        assert focused["hasRing"], f"{name} has the focus and does not show it"
        names.append(name)
    return names


async def test_the_skip_link_leads_to_the_content(
    page: Page, federation: ScriptedFederation
) -> None:
    for path in ("/", "/status", "/about"):
        await page.goto(f"{federation.url}{path}")
        assert await walk(page, 1) == ["Skip to the content"]
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "main", path


async def test_a_link_is_made_and_launched_from_the_keyboard(
    page: Page, federation: ScriptedFederation
) -> None:
    await page.goto(federation.url)
    names = await walk(page, 5)
    assert names[:4] == ["Skip to the content", "Binder Federation", "Status", "About"]
    assert names[4] == "Repository"
    await page.keyboard.type("owner/repository")
    assert await walk(page, 5) == [
        "Where it is",
        "Branch, tag or commit",
        "What to open",
        "Open",
        "Launch",
    ]
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.type("index.ipynb")
    await page.keyboard.press("Enter")
    launch = await federation.next_launch()
    assert launch.path == "gh/owner/repository/HEAD"


async def test_the_status_page_is_walked_in_order(
    page: Page, federation: ScriptedFederation
) -> None:
    await page.goto(f"{federation.url}/status")
    names = await walk(page, 6)
    assert names[4:] == ["a feed", "as JSON"], "there is nothing on the way that does nothing"


async def test_nothing_moves_for_who_wants_no_motion(browser: Browser) -> None:
    moving = (
        "[...document.querySelectorAll('*')].map((e) => getComputedStyle(e))"
        ".filter((s) => s.animationName !== 'none' || (s.transitionProperty !== 'none'"
        " && parseFloat(s.transitionDuration) > 0)).length"
    )
    async with (
        scripted_federation() as federation,
        watched_page(browser, reduced_motion="reduce") as page,
    ):
        for path in ("/", "/status", "/v2/gh/o/r/HEAD"):
            await page.goto(f"{federation.url}{path}")
            assert await page.evaluate(moving) == 0, f"something moves on {path}"
