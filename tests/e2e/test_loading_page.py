"""The loading page in a real browser: each test is one launch's story."""

import asyncio
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from playwright.async_api import Page, expect

from binder_federation.binder.events import Phase
from tests.support.browser import PageErrors
from tests.support.eventually import eventually
from tests.support.scripted_federation import (
    ScriptedFederation,
    ScriptedLaunch,
)

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

LINK = "/v2/gh/owner/name/HEAD"


async def open_link(page: Page, federation: ScriptedFederation, link: str = LINK) -> ScriptedLaunch:
    await page.goto(federation.url + link)
    return await federation.next_launch()


async def wait_until(holds: Callable[[], bool], what: str) -> None:
    async def condition() -> bool:
        return holds()

    await eventually(condition, what=what)


async def end_ready(launch: ScriptedLaunch, federation: ScriptedFederation) -> None:
    server = f"{federation.url}/user/me/"
    await launch.say(Phase.READY, "Your server is ready.", url=server, token="t0")


async def test_the_page_is_there_before_anything_is_known(
    page: Page, federation: ScriptedFederation
) -> None:
    await open_link(page, federation)
    await expect(page.get_by_role("heading", level=1)).to_have_text("owner/name")
    await expect(page).to_have_title("Starting owner/name")
    bar = page.get_by_role("progressbar")
    await expect(bar).to_have_accessible_name("Getting ready")


async def test_a_launch_ends_at_the_file_that_was_asked_for(
    page: Page, federation: ScriptedFederation
) -> None:
    link = f"{LINK}?labpath=notes/first%20steps.ipynb"
    launch = await open_link(page, federation, link)
    assert launch.path == "gh/owner/name/HEAD"
    assert launch.query == {"labpath": "notes/first steps.ipynb"}
    await launch.say(Phase.BUILT, "Found built image, launching...", member="alpha")
    await end_ready(launch, federation)
    await page.wait_for_url(f"{federation.url}/user/me/lab/tree/notes/first%20steps.ipynb?token=t0")
    await expect(page.get_by_role("heading")).to_have_text("A notebook server")


async def test_the_page_s_build_token_goes_along_and_no_other(
    page: Page, federation: ScriptedFederation
) -> None:
    federation.token = "a.b.c"
    launch = await open_link(page, federation, f"{LINK}?build_token=theirs&labpath=x.ipynb")
    assert launch.query == {"labpath": "x.ipynb", "build_token": "a.b.c"}


async def test_who_starts_again_asks_for_the_member_of_before(
    page: Page, federation: ScriptedFederation
) -> None:
    launch = await open_link(page, federation)
    await launch.say(Phase.BUILT, "Found built image, launching...", member="alpha")
    await end_ready(launch, federation)
    await page.wait_for_url(f"{federation.url}/user/me/**")
    again = await open_link(page, federation)
    assert again.query == {"prefer": "alpha"}


async def test_a_link_cannot_lead_away_from_the_server(
    page: Page, federation: ScriptedFederation
) -> None:
    launch = await open_link(page, federation, f"{LINK}?urlpath=../../../about")
    await end_ready(launch, federation)
    await page.wait_for_url(f"{federation.url}/user/me/?token=t0")


async def test_phases_member_and_estimate_are_shown(
    page: Page, federation: ScriptedFederation
) -> None:
    launch = await open_link(page, federation)
    phrase = "beta is the usual place for this repository"
    known = {"member": "beta", "attempt": 1, "reason_phrase": phrase}
    await launch.say(Phase.WAITING, f"{phrase}.", **known, eta_seconds=150)
    await expect(page.locator("#member")).to_have_text(phrase)
    await expect(page.locator("#eta")).to_have_text("about 3 minutes left")
    await launch.say(Phase.BUILDING, "Installing numpy", **known, eta_seconds=40)
    await expect(page.get_by_role("heading", level=2)).to_have_text("Building the image")
    await expect(page.locator("#eta")).to_have_text(re.compile(r"about (40|39) seconds left"))
    await expect(page.locator("[aria-current=step]")).to_have_text("Build")
    await expect(page).to_have_title("Building owner/name")
    await expect(page.locator("#tab-icon")).to_have_attribute("href", "/favicon-building.svg")
    bar = page.get_by_role("progressbar")
    await expect(bar).to_have_attribute("aria-valuetext", re.compile("Building the image, about"))
    await launch.say(Phase.LAUNCHING, "Starting", **known, eta_seconds=0)
    await expect(page.locator("#eta")).to_have_text("any moment now")
    await expect(page.locator("#announcer")).to_have_text("Starting your server")
    await expect(page).to_have_title("Launching owner/name")


async def test_the_estimate_comes_down_by_itself(
    page: Page, federation: ScriptedFederation
) -> None:
    await page.clock.install()
    launch = await open_link(page, federation)
    await launch.say(Phase.BUILDING, "Building", member="alpha", eta_seconds=30)
    await expect(page.locator("#eta")).to_have_text(re.compile("about (30|29) seconds left"))
    await page.clock.run_for(20_000)
    await expect(page.locator("#eta")).to_have_text(re.compile(r"about (10|9|8) seconds left"))
    await page.clock.run_for(11_000)
    await expect(page.locator("#eta")).to_have_text("any moment now")
    await page.clock.run_for(20_000)
    await expect(page.locator("#eta")).to_have_text("taking longer than usual")


async def test_a_failover_is_one_line(page: Page, federation: ScriptedFederation) -> None:
    launch = await open_link(page, federation)
    await launch.say(Phase.BUILDING, "Installing", member="alpha", attempt=1, eta_seconds=5)
    told = "alpha stopped answering. Going on at beta."
    await launch.say(
        Phase.WAITING,
        told,
        failover=True,
        member="beta",
        attempt=2,
        reason_phrase="beta took over from alpha",
        eta_seconds=50,
    )
    await expect(page.get_by_role("status", name="Notices")).to_have_text(told)
    await expect(page.locator("#member")).to_have_text("beta took over from alpha")
    await expect(page.locator("#eta")).to_have_text(re.compile("about (50|49) seconds left"))
    await end_ready(launch, federation)
    await page.wait_for_url("**/user/me/?token=t0")


async def test_a_cut_connection_recovers_and_repeats_nothing(
    page: Page, federation: ScriptedFederation, page_errors: PageErrors
) -> None:
    page_errors.allowed.append("ERR_INCOMPLETE_CHUNKED_ENCODING")
    launch = await open_link(page, federation)
    await page.locator("#log summary").click()
    await launch.say(Phase.BUILDING, "first line", member="alpha")
    await launch.say(Phase.BUILDING, "second line", member="alpha")
    await expect(page.locator("#log-lines .line")).to_have_text(["first line", "second line"])
    federation.answers.clear()
    await launch.hang_up()
    await expect(page.locator("#notices")).to_have_text("Connection lost, reconnecting …")
    await launch.say(Phase.BUILDING, "third line", member="alpha")
    federation.answers.set()
    await expect(page.locator("#notices p")).to_have_count(0)
    lines = ["first line", "second line", "third line"]
    await expect(page.locator("#log-lines .line")).to_have_text(lines)
    assert launch.resumed_after == [1]
    await launch.say_again(0)
    await launch.say(Phase.BUILDING, "fourth line", member="alpha")
    await expect(page.locator("#log-lines .line")).to_have_text([*lines, "fourth line"])
    assert federation.launches_begun == 1


async def test_a_launch_that_was_lost_can_be_taken_up_again(
    page: Page, federation: ScriptedFederation, page_errors: PageErrors
) -> None:
    page_errors.allowed += ["ERR_INCOMPLETE_CHUNKED_ENCODING", "503"]
    launch = await open_link(page, federation)
    await launch.say(Phase.BUILDING, "Installing", member="alpha")
    await expect(page.get_by_role("heading", level=2)).to_have_text("Building the image")
    federation.refuse_next(503)
    await launch.hang_up()
    await expect(page.get_by_role("heading", level=2)).to_have_text("The connection was lost")
    await expect(page).to_have_title("Failed: owner/name")
    await page.get_by_role("button", name="Try again").click()
    await launch.say(Phase.LAUNCHING, "Starting", member="alpha")
    await expect(page.get_by_role("heading", level=2)).to_have_text("Starting your server")
    assert launch.resumed_after == [0]
    assert federation.launches_begun == 1


async def test_a_launch_that_is_gone_begins_anew_at_the_second_try(
    page: Page, federation: ScriptedFederation, page_errors: PageErrors
) -> None:
    page_errors.allowed += ["ERR_INCOMPLETE_CHUNKED_ENCODING", "404"]
    launch = await open_link(page, federation)
    await launch.say(Phase.BUILDING, "Installing", member="alpha")
    await expect(page.get_by_role("heading", level=2)).to_have_text("Building the image")
    federation.refuse_next(404)
    federation.refuse_next(404)
    await launch.hang_up()
    await page.get_by_role("button", name="Try again").click()
    await expect(page.locator("#log-count")).to_have_text("2 lines")
    await page.get_by_role("button", name="Try again").click()
    await federation.next_launch()
    assert federation.refused == 2


@pytest.mark.parametrize("kind", ["never answers", "begins and says nothing"])
async def test_a_stream_that_brings_nothing_is_asked_for_anew(
    page: Page, federation: ScriptedFederation, kind: str
) -> None:
    federation.says_nothing = kind == "begins and says nothing"
    if not federation.says_nothing:
        federation.answers.clear()
    await page.clock.install()
    await page.goto(federation.url + LINK)
    await wait_until(lambda: federation.unanswered == 1, "the page asks for the stream")
    await page.clock.run_for(10_500)
    await expect(page.locator("#notices")).to_have_text("No answer yet, asking again (1) …")
    await wait_until(lambda: federation.unanswered == 2, "the page asks again")
    federation.says_nothing = False
    federation.answers.set()
    if kind == "begins and says nothing":
        await page.clock.run_for(20_500)
    launch = await federation.next_launch()
    await launch.say(Phase.BUILDING, "Installing", member="alpha")
    await expect(page.get_by_role("heading", level=2)).to_have_text("Building the image")
    await expect(page.locator("#notices p")).to_have_count(0)


def has_asked(federation: ScriptedFederation, times: int) -> bool:
    return federation.unanswered == times


async def test_a_stream_that_never_brings_anything_is_a_failure_to_try_again(
    page: Page, federation: ScriptedFederation
) -> None:
    federation.answers.clear()
    await page.clock.install()
    await page.goto(federation.url + LINK)
    for number, seconds in ((1, 11), (2, 21), (3, 31)):
        await wait_until(partial(has_asked, federation, number), f"request {number}")
        await page.clock.run_for(seconds * 1000)
    title = "The federation does not answer"
    await expect(page.get_by_role("heading", level=2)).to_have_text(title)
    await expect(page.locator("#failure")).to_contain_text("only a few connections")
    federation.answers.set()
    await page.get_by_role("button", name="Try again").click()
    launch = await federation.next_launch()
    await end_ready(launch, federation)
    await page.wait_for_url("**/user/me/?token=t0")


async def test_the_stream_that_goes_on_silently_after_a_cut_is_answered(
    page: Page, federation: ScriptedFederation, page_errors: PageErrors
) -> None:
    page_errors.allowed.append("ERR_INCOMPLETE_CHUNKED_ENCODING")
    await page.clock.install()
    launch = await open_link(page, federation)
    await launch.say(Phase.BUILDING, "Installing", member="alpha")
    await expect(page.get_by_role("heading", level=2)).to_have_text("Building the image")
    await launch.hang_up()
    await wait_until(lambda: launch.resumed_after == [0], "the browser reconnects")
    await expect(page.locator("#notices p")).to_have_count(0)
    await page.clock.run_for(60_000)
    await expect(page.locator("#notices p")).to_have_count(0)
    assert launch.resumed_after == [0], "nothing is missing, so nothing is asked for anew"


async def test_a_page_that_is_left_lets_its_connection_go(
    page: Page, federation: ScriptedFederation
) -> None:
    launch = await open_link(page, federation)
    await launch.say(Phase.BUILDING, "Installing", member="alpha")
    await expect(page.get_by_role("heading", level=2)).to_have_text("Building the image")
    await page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
    await wait_until(lambda: not launch.watchers, "the stream is closed")
    await page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    await wait_until(lambda: len(launch.watchers) == 1, "the launch is taken up again")
    assert launch.resumed_after == [0]
    assert federation.launches_begun == 1


async def test_scripts_that_do_not_load_are_told_of(
    page: Page, federation: ScriptedFederation, page_errors: PageErrors
) -> None:
    page_errors.allowed.append("ERR_FAILED")
    await page.route("**/launch-stream.js", lambda route: route.abort())
    await page.emulate_media(reduced_motion="reduce")
    await page.goto(federation.url + LINK)
    told = page.locator("#not-started")
    await expect(told).to_be_hidden()
    await page.evaluate("document.getAnimations().forEach((animation) => animation.finish())")
    await expect(told).to_be_visible()
    await page.unroute("**/launch-stream.js")
    await told.get_by_role("link", name="Load the page again").click()
    await federation.next_launch()
    await expect(told).to_have_count(0)


RATE_LIMITED: dict[str, Any] = {"code": "rate_limited", "fault": "request", "retryable": True}


async def test_a_rate_limit_says_how_long_to_wait_and_does_not_try_by_itself(
    page: Page, federation: ScriptedFederation
) -> None:
    await page.clock.install()
    launch = await open_link(page, federation)
    await launch.say(Phase.FAILED, "Ten an hour.", **RATE_LIMITED, retry_after_seconds=3725)
    title = "Too many launches from your network"
    await expect(page.get_by_role("heading", level=2)).to_have_text(title)
    await expect(page.locator(".wait")).to_have_text("You can launch again in 1 h 2 min.")
    await page.clock.run_for(3_000_000)
    await expect(page.locator(".wait")).to_contain_text("in 12 min")
    await page.clock.run_for(800_000)
    await expect(page.locator(".wait")).to_have_text("You can launch again now.")
    assert federation.launches_begun == 1


async def test_a_repository_that_does_not_build_is_told_to_its_author(
    page: Page, federation: ScriptedFederation
) -> None:
    launch = await open_link(page, federation)
    await launch.say(Phase.BUILDING, "Installing panads", member="alpha")
    await launch.say(
        Phase.FAILED,
        "No version of panads was found.",
        code="build_failed",
        fault="repository",
        advice="Correct requirements.txt.",
        member="alpha",
        status_code=422,
    )
    failure = page.locator("#failure")
    await expect(page.get_by_role("heading", level=2)).to_have_text("The repository does not build")
    for words in ("No version of panads was found.", "Its author can fix it", "Correct req"):
        await expect(failure).to_contain_text(words)
    link = failure.get_by_role("link")
    await expect(link).to_have_attribute("href", "https://github.com/owner/name")
    await expect(page.locator("#log-lines")).to_be_visible()
    await expect(page.locator("#announcer")).to_contain_text("does not build")
    await expect(page.locator("#tab-icon")).to_have_attribute("href", "/favicon-failed.svg")


async def test_another_member_can_be_asked_for(page: Page, federation: ScriptedFederation) -> None:
    launch = await open_link(page, federation, f"{LINK}?labpath=x.ipynb")
    for failed in ("alpha", "beta"):
        await launch.say(
            Phase.FAILED, "The disk is full.", code="launch_failed", fault="member", member=failed
        )
        heading = page.get_by_role("heading", level=2)
        await expect(heading).to_have_text(f"{failed} could not launch it")
        await expect(page.get_by_role("button", name="Try again")).to_be_visible()
        await page.get_by_role("button", name="Try another member").click()
        launch = await federation.next_launch()
    assert launch.query == {"labpath": "x.ipynb", "avoid": "alpha,beta"}
    await expect(page.locator("#failure")).to_be_hidden()
    await end_ready(launch, federation)
    await page.wait_for_url("**/user/me/lab/tree/x.ipynb?token=t0")


async def test_a_full_federation_is_waited_for(page: Page, federation: ScriptedFederation) -> None:
    await page.clock.install()
    launch = await open_link(page, federation)
    full = {
        "code": "no_eligible_member",
        "fault": "federation",
        "retryable": True,
        "retry_after_seconds": 20,
    }
    await launch.say(Phase.FAILED, "Every member is full.", **full)
    await expect(page.get_by_role("heading", level=2)).to_have_text("Waiting for room")
    await expect(page.locator(".wait")).to_have_text(re.compile(r"Trying again in (20|19) s\."))
    await page.clock.run_for(21_000)
    launch = await federation.next_launch()
    await launch.say(Phase.FAILED, "Every member is full.", **full)
    await page.get_by_role("button", name="Stop waiting").click()
    title = "No member can take a launch now"
    await expect(page.get_by_role("heading", level=2)).to_have_text(title)
    await page.clock.run_for(30_000)
    assert federation.launches_begun == 2


async def test_a_server_without_a_web_address_is_a_failure(
    page: Page, federation: ScriptedFederation
) -> None:
    launch = await open_link(page, federation)
    await launch.say(Phase.READY, "Ready.", url="javascript:alert(1)", token="t", member="alpha")
    await expect(page.locator("#failure")).to_contain_text("no web address")


async def test_without_scripts_the_page_points_to_the_stream(
    federation: ScriptedFederation, page: Page
) -> None:
    browser = page.context.browser
    assert browser is not None
    context = await browser.new_context(java_script_enabled=False)
    try:
        plain = await context.new_page()
        await plain.goto(federation.url + LINK)
        link = plain.get_by_role("link", name="open the raw event stream")
        await expect(link).to_have_attribute("href", "/build/gh/owner/name/HEAD")
    finally:
        await context.close()


async def test_a_page_that_nobody_looks_at_starts_nothing(
    page: Page, federation: ScriptedFederation
) -> None:
    await page.add_init_script(
        "window.seen = 'hidden';"
        "Object.defineProperty(document, 'visibilityState', { get: () => window.seen });"
    )
    await page.goto(federation.url + LINK)
    await expect(page.locator("#not-started")).to_have_count(0)
    with pytest.raises(TimeoutError):  # it was only loaded
        async with asyncio.timeout(0.5):
            await federation.next_launch()
    await page.evaluate(
        "window.seen = 'visible'; document.dispatchEvent(new Event('visibilitychange'))"
    )
    launch = await federation.next_launch()
    await end_ready(launch, federation)
    await page.wait_for_url("**/user/me/?token=t0")
