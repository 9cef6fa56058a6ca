"""From a link to a cell's output, on members that were installed from the chart."""

import re

import pytest
from playwright.async_api import Browser

from binder_federation.binder.events import Phase
from tests.cluster.federation.conftest import Site
from tests.support.browser import watched_page
from tests.support.eventually import eventually
from tests.support.launch_checks import answers, run_code
from tests.support.notebooks import GREETING, jupyterlab_errors, run_first_cell

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_visitor_opens_a_notebook_and_runs_a_cell(site: Site, browser: Browser) -> None:
    path = site.repository("browser")
    errors = jupyterlab_errors()
    async with watched_page(browser, errors=errors) as page:
        await page.goto(f"{site.federation.url}/v2/{path}?labpath=index.ipynb")
        await page.get_by_text("Build log").click()
        assert await run_first_cell(page) == GREETING


async def test_a_drained_members_visitors_go_elsewhere_and_come_back(site: Site) -> None:
    path = site.repository("drained")
    first = await site.federation.launch(path)
    home = str(first.last.fields["member"])
    (other,) = set(site.members) - {home}
    pushed = await site.registry_has(home, path)

    told = await site.members[home].drain()
    try:
        await site.federation.wait_until("draining", home)
        elsewhere = await site.federation.launch(path)
        still = await answers(first)
    finally:
        await site.members[home].undrain()
    await site.federation.wait_until("up", home)
    await site.members[other].drain()  # so that it is the first one's turn, whatever it costs
    try:
        await site.federation.wait_until("draining", other)
        again = await site.federation.launch(path)
    finally:
        await site.members[other].undrain()
    await site.both_up()

    assert first.last.phase is elsewhere.last.phase is again.last.phase is Phase.READY, again.text
    assert pushed, "an image counts once the registry has it"
    assert re.search(rf"{home} is draining; [1-9][0-9]* sessions run", told), told
    assert still, "who was there stays"
    assert elsewhere.last.fields["member"] == other
    assert Phase.BUILDING in first.phases()
    assert Phase.BUILDING not in again.phases(), "the image is still there"
    assert again.last.fields["member"] == home
    assert await answers(elsewhere)
    assert await run_code(again, "print('hello')") == "hello\n"


async def test_the_federation_knows_where_images_are(site: Site) -> None:
    path = site.repository("known")
    first = await site.federation.launch(path)
    home = str(first.last.fields["member"])

    async def is_told() -> bool:
        second = await site.federation.launch(path)
        assert second.last.phase is Phase.READY, second.text
        assert second.last.fields["member"] == home
        return "already has this image" in str(second.last.fields["reason_phrase"])

    await eventually(is_told, what="the federation to know the image's place")


async def test_a_dockerfile_that_fails_is_the_repositorys_fault(site: Site) -> None:
    path = site.repository("broken", more="RUN echo before-the-fault && exit 7\n")
    seen = await site.federation.launch(path)

    assert seen.last.phase is Phase.FAILED
    assert seen.last.fields["fault"] == "repository", seen.last
    assert seen.last.fields["attempt"] == 1, "another member would not do better"
    assert "before-the-fault" in seen.text, "the log says where it went wrong"
