"""The status page in a browser: whole without scripts, and kept fresh by them."""

from dataclasses import replace

import pytest
from playwright.async_api import Browser, Page, expect

from binder_federation.federation.status.report import StatusReport
from binder_federation.federation.status.sample import sample_report
from tests.support.browser import PageErrors, watched_page
from tests.support.page_modules import Modules
from tests.support.scripted_federation import ScriptedFederation, scripted_federation

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

MARK = "document.getElementById('member-alpha').isSame = true"


def with_beta(state: str) -> StatusReport:
    """The sample, but beta is in another state."""
    sample = sample_report()
    alpha, beta, gamma = sample.members
    return replace(sample, members=(alpha, replace(beta, state=state, reason=""), gamma))


def stand_still(federation: ScriptedFederation, report: StatusReport) -> None:
    """The report is this one, whatever time it is."""
    federation.report = lambda _now: report


async def come_back(page: Page) -> None:
    """As when the visitor returns to the tab: the page asks at once."""
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


async def test_it_tells_everything_without_scripts(browser: Browser) -> None:
    async with (
        scripted_federation() as federation,
        watched_page(browser, java_script_enabled=False) as page,
    ):
        await page.goto(f"{federation.url}/status")
        await expect(page.locator("#headline")).to_contain_text("1 of 3 members takes launches")
        beta = page.locator("#member-beta")
        await expect(beta.locator(".state")).to_have_text("Down")
        await expect(beta).to_contain_text("It refuses connections.")
        await expect(beta).to_contain_text("2 incidents, 2 h 39 min in all")
        gamma = page.locator("#member-gamma")
        await expect(gamma).to_contain_text("New disks. Planned until")
        await expect(gamma).to_contain_text("6 of 40 sessions")
        await expect(page.locator(".history li")).to_have_count(4)
        await expect(page.locator("time").first).to_contain_text("UTC")


async def test_what_changes_is_taken_over_and_told(
    page: Page, federation: ScriptedFederation
) -> None:
    stand_still(federation, sample_report())
    await page.goto(f"{federation.url}/status")
    await page.evaluate(MARK)
    stand_still(federation, with_beta("recovering"))
    await come_back(page)
    await expect(page.locator("#member-beta .state")).to_have_text("Coming back")
    await expect(page.locator("#announcer")).to_contain_text("beta is coming back")
    assert await page.evaluate("document.getElementById('member-alpha').isSame"), (
        "what has not changed is not touched"
    )


async def test_another_member_appears(page: Page, federation: ScriptedFederation) -> None:
    sample = sample_report()
    stand_still(federation, sample)
    await page.goto(f"{federation.url}/status")
    delta = replace(sample.members[0], name="delta")
    stand_still(federation, replace(sample, members=(*sample.members, delta)))
    await come_back(page)
    await expect(page.locator("#member-delta .state")).to_have_text("Up")


async def test_a_federation_that_does_not_answer_is_told(
    page: Page, page_errors: PageErrors, federation: ScriptedFederation
) -> None:
    page_errors.allowed.append("net::ERR")
    await page.goto(f"{federation.url}/status")
    await page.route("**/status", lambda route: route.abort())
    await come_back(page)
    await come_back(page)
    await expect(page.locator("#freshness")).to_contain_text("asking again")
    await page.unroute("**/status")
    await come_back(page)
    await expect(page.locator("#freshness")).not_to_contain_text("asking again")


async def test_the_home_page_leads_to_it(page: Page, federation: ScriptedFederation) -> None:
    await page.goto(federation.url)
    await page.get_by_role("link", name="Status and history").click()
    await expect(page.locator("#headline")).to_be_visible()


async def test_it_asks_less_often_while_nobody_answers(modules: Modules) -> None:
    pauses = [await modules.call("poll-pause.js", "pauseMs", failures) for failures in range(6)]
    assert pauses == [5000, 10_000, 20_000, 40_000, 60_000, 60_000]
