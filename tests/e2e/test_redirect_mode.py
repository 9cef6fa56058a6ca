"""`launch.mode: redirect` in a real browser: our own page follows the member's own stream."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Request, expect

from binder_federation.binder.events import Phase
from tests.support.agent_server import running_agent
from tests.support.browser import PageErrors, watched_page
from tests.support.fake_member import Failure, FakeMember
from tests.support.federation_server import FederationServer, running_federation

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

SPEC = f"gh/owner/repository/{'1' * 40}"
ASK_WHERE = {"Accept": "application/json"}


class Visit:
    """A page, and the event streams that it opened."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.streams: list[str] = []
        page.on("request", self._note)

    def _note(self, request: Request) -> None:
        if request.resource_type == "eventsource":
            self.streams.append(request.url)

    async def launch(self, federation: FederationServer, query: str = "") -> None:
        await self.page.goto(f"{federation.url}/v2/{SPEC}{query}")

    async def expect_heading(self, text: str) -> None:
        await expect(self.page.get_by_role("heading", level=2)).to_have_text(text)


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, page_errors: PageErrors) -> AsyncIterator[Visit]:
    # The members here have no notebook to show, and are gone before its icon is asked for.
    page_errors.allowed += ["404", "ERR_CONNECTION_REFUSED"]
    async with watched_page(browser, errors=page_errors) as page:
        yield Visit(page)


@pytest_asyncio.fixture(loop_scope="session")
async def both() -> AsyncIterator[list[FakeMember]]:
    """Two members that a test can break."""
    members = [FakeMember("alpha"), FakeMember("beta")]
    for member in members:
        await member.start()
    yield members
    for member in members:
        await member.stop()


def redirecting(members: list[FakeMember]) -> AbstractAsyncContextManager[FederationServer]:
    """Their federation, which learns of failures from nobody."""
    seldom = {"probe_every_seconds": 60}
    return running_federation(members, launch={"mode": "redirect"}, health=seldom)


async def first_and_other(
    federation: FederationServer, members: list[FakeMember]
) -> tuple[FakeMember, FakeMember]:
    """The member where the launch goes first, and the other."""
    place = (await federation.client.get(f"/build/{SPEC}", headers=ASK_WHERE)).json()
    first, other = sorted(members, key=lambda member: member.name != place["member"])
    assert place["url"].startswith(f"{first.url}/build/{SPEC}?build_token=")
    return first, other


async def test_the_page_reads_an_agents_own_stream(visit: Visit) -> None:
    async with running_agent(name="alpha") as agent:
        port = urlsplit(agent.url).port
        assert port is not None
        stand_in = FakeMember("alpha", port=port)  # its name and address only
        async with redirecting([stand_in]) as federation:
            await visit.launch(federation, "?labpath=notes/a.ipynb")
            await visit.page.wait_for_url("**/user/**/lab/tree/notes/a.ipynb?token=*")

    (stream,) = visit.streams
    assert stream.startswith(f"{agent.url}/build/{SPEC}?build_token="), "no 307 was needed"
    assert not visit.page.url.startswith(federation.url)


async def test_a_member_that_is_gone_is_left_for_another(
    visit: Visit, both: list[FakeMember]
) -> None:
    async with redirecting(both) as federation:
        first, other = await first_and_other(federation, both)
        await first.stop()
        other.hold(Phase.BUILT)
        await visit.launch(federation)
        told = f"{first.name} does not answer. Going on at {other.name}."
        await expect(visit.page.get_by_role("status", name="Notices")).to_have_text(told)
        other.go_on()
        await visit.page.wait_for_url(f"{other.url}/user/x/?token=secret")
        again = await federation.client.get(f"/build/{SPEC}?avoid={first.name}", headers=ASK_WHERE)

    assert [urlsplit(url).port for url in visit.streams] == [first.port, other.port]
    assert again.json()["member"] == other.name


async def test_a_launch_that_fails_there_goes_on_elsewhere(
    visit: Visit, both: list[FakeMember]
) -> None:
    async with redirecting(both) as federation:
        first, other = await first_and_other(federation, both)
        first.fail_next(Failure.LAUNCH_FAILS)
        await visit.launch(federation)
        await visit.page.wait_for_url(f"{other.url}/user/x/?token=secret")

    assert len(visit.streams) == 2


async def test_when_every_member_fails_one_sentence_says_so(
    visit: Visit, both: list[FakeMember]
) -> None:
    async with redirecting(both) as federation:
        _, other = await first_and_other(federation, both)
        for member in both:
            member.fail_next(Failure.LAUNCH_FAILS)
        await visit.launch(federation)
        await visit.expect_heading(f"{other.name} could not launch it")
        failure = visit.page.locator("#failure")
        await expect(failure).to_contain_text("The hub did not start the server.")
        await expect(failure.get_by_role("button", name="Try again")).to_be_visible()
        assert len(visit.streams) == 2, "each member is tried once"
        await failure.get_by_role("button", name="Try again").click()
        await visit.page.wait_for_url("**/user/x/?token=secret")


async def test_a_repository_that_does_not_build_is_told_once(
    visit: Visit, both: list[FakeMember]
) -> None:
    async with redirecting(both) as federation:
        first, _ = await first_and_other(federation, both)
        first.fail_next(Failure.BUILD_FAILS)
        await visit.launch(federation)
        await visit.expect_heading("The repository does not build")

    assert len(visit.streams) == 1, "it would not build elsewhere either"


async def test_a_stream_that_breaks_is_had_again_where_it_was(
    visit: Visit, page_errors: PageErrors, both: list[FakeMember]
) -> None:
    page_errors.allowed += ["ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET"]
    async with redirecting(both) as federation:
        first, _ = await first_and_other(federation, both)
        first.fail_next(Failure.RESET_AT_BUILDING)
        await visit.launch(federation)
        await visit.page.wait_for_url(f"{first.url}/user/x/?token=secret")

    tokens = {parse_qs(urlsplit(url).query)["build_token"][0] for url in visit.streams}
    assert len(tokens) == 1, "the member knows the launch by its token"


async def test_where_nobody_has_room_the_page_waits(visit: Visit, page_errors: PageErrors) -> None:
    page_errors.allowed.append("503")
    async with redirecting([]) as federation:
        await visit.launch(federation)
        await visit.expect_heading("Waiting for room")
        await visit.page.get_by_role("button", name="Stop waiting").click()
        await visit.expect_heading("No member can take a launch now")

    assert visit.streams == []
