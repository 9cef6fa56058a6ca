"""Clients that others wrote, unchanged: a page of another origin, the npm package, curl."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.support.agent_server import AgentServer, running_agent
from tests.support.browser import PageErrors, watched_page
from tests.support.fake_member import Failure, FakeMember
from tests.support.federation_server import FederationServer, running_federation
from tests.support.guest_site import guest_site
from tests.support.npm_client import NpmClient, install_npm_client

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

ROOT = Path(__file__).parents[2]
SHA = "1" * 40
SPEC = f"gh/owner/repository/{SHA}"
MODES = ("stream", "redirect")

FETCH = """async ([url, options]) => {
  const answer = await fetch(url, options);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!/"phase": "(ready|failed)"/.test(text)) {
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
  }
  await reader.cancel();
  const launch = answer.headers.get("X-Binder-Launch");
  return { status: answer.status, url: answer.url, text, launch };
}"""

READ_JSON = """async ([url, options]) => {
  const answer = await fetch(url, options);
  return [answer.status, await answer.json()];
}"""

EVENT_SOURCE = """([url, withCredentials]) => new Promise((resolve) => {
  const source = new EventSource(url, { withCredentials });
  const phases = [];
  source.onerror = () => { source.close(); resolve({ phases, error: true }); };
  source.onmessage = (message) => {
    const event = JSON.parse(message.data);
    phases.push(event.phase);
    if (event.phase !== "ready" && event.phase !== "failed") return;
    source.close();
    resolve({ phases, origin: message.origin, url: event.url });
  };
})"""

BINDERHUB_CLIENT = """async ([endpoint, spec, options]) => {
  const { BinderRepository } = await import("@jupyterhub/binderhub-client/client.js");
  const repository = new BinderRepository(spec, new URL(endpoint), options);
  const events = [];
  for await (const event of repository.fetch()) {
    events.push(event);
    if (event.phase === "ready" || event.phase === "failed") break;
  }
  repository.close();
  return events;
}"""

SENT_WITH_FETCH: dict[str, dict[str, Any]] = {
    "plain": {},
    "headers that are asked for first": {
        "headers": {
            "Accept": "text/event-stream",
            "Authorization": "Bearer of-somebody-else",
            "Cache-Control": "no-cache",
            "Last-Event-ID": "",
            "X-XSRFToken": "x",
        }
    },
    "credentials": {"credentials": "include"},
    "credentials and headers": {
        "credentials": "include",
        "headers": {"Accept": "text/event-stream", "Cache-Control": "no-cache"},
    },
}


@asynccontextmanager
async def agents_as_members(mode: str, count: int = 1) -> AsyncIterator[FederationServer]:
    """A federation of real agents, each an origin of its own."""
    async with AsyncExitStack() as stack:
        members = []
        for name in ("alpha", "beta", "gamma")[:count]:
            agent = await stack.enter_async_context(running_agent(name=name))
            members.append(stand_in(name, agent))
        yield await stack.enter_async_context(running_federation(members, launch={"mode": mode}))


def stand_in(name: str, agent: AgentServer) -> FakeMember:
    """Tells `running_federation` the agent's name and address; it is never started."""
    port = urlsplit(agent.url).port
    assert port is not None
    return FakeMember(name, port=port)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def npm(tmp_path_factory: pytest.TempPathFactory) -> NpmClient:
    return await install_npm_client(tmp_path_factory.mktemp("npm") / "clients")


@pytest_asyncio.fixture(loop_scope="session")
async def guest(browser: Browser, page_errors: PageErrors, npm: NpmClient) -> AsyncIterator[Page]:
    """A page of another site."""
    async with (
        guest_site(npm.packages) as url,
        watched_page(browser, errors=page_errors) as page,
    ):
        await page.goto(url)
        yield page


@pytest.mark.parametrize("mode", MODES)
async def test_a_page_elsewhere_launches_with_fetch(guest: Page, mode: str) -> None:
    async with agents_as_members(mode) as federation:
        for what, options in SENT_WITH_FETCH.items():
            url = f"{federation.url}/build/{SPEC}"
            seen = await guest.evaluate(FETCH, [url, options])

            assert seen["status"] == 200, what
            assert '"phase": "ready"' in seen["text"], f"{what}: {seen['text']}"
            assert seen["url"].startswith(federation.url) == (mode == "stream"), what
            assert bool(seen["launch"]) == (mode == "stream"), "our own header can be read"


@pytest.mark.parametrize("mode", MODES)
async def test_a_page_elsewhere_launches_with_an_event_source(guest: Page, mode: str) -> None:
    async with agents_as_members(mode) as federation:
        for with_credentials in (False, True):
            url = f"{federation.url}/build/{SPEC}"
            seen = await guest.evaluate(EVENT_SOURCE, [url, with_credentials])

            assert seen["phases"][-1] == "ready", f"{seen}, credentials: {with_credentials}"
            assert (seen["origin"] == federation.url) == (mode == "stream")


@pytest.mark.parametrize("mode", MODES)
async def test_the_example_page_goes_to_the_server(
    browser: Browser, page_errors: PageErrors, mode: str
) -> None:
    page_errors.allowed += ["404", "ERR_CONNECTION_REFUSED"]  # nothing is at the server's address
    text = (ROOT / "examples" / "clients" / "launch.html").read_text()
    async with agents_as_members(mode) as federation:
        html = text.replace("https://binder.example.org", federation.url)
        html = html.replace("gh/binder-examples/requirements/HEAD", SPEC)
        assert federation.url in html
        assert SPEC in html
        async with (
            guest_site(html=html) as url,
            watched_page(browser, errors=page_errors) as page,
        ):
            await page.goto(url)
            await page.get_by_role("button", name="Launch").click()
            await page.wait_for_url("http://127.0.0.1:*/user/**/?token=*")


@pytest.mark.parametrize("mode", MODES)
async def test_a_page_elsewhere_reads_why_it_is_refused(
    guest: Page, page_errors: PageErrors, mode: str
) -> None:
    page_errors.allowed += ["400", "405", "503"]
    async with running_federation([], launch={"mode": mode}) as federation:
        build = f"{federation.url}/build"
        wrong = await guest.evaluate(READ_JSON, [f"{build}/nosuch/a/b", {}])
        posted = await guest.evaluate(READ_JSON, [f"{build}/{SPEC}", {"method": "POST"}])
        source = await guest.evaluate(EVENT_SOURCE, [f"{build}/nosuch/a/b", False])
        head = await guest.evaluate(
            "async (url) => (await fetch(url, { method: 'HEAD' })).status", f"{build}/{SPEC}"
        )

    assert (wrong[0], wrong[1]["code"]) == (400, "invalid_spec")
    assert (posted[0], posted[1]["code"]) == (405, "http_405")
    assert source["phases"] == ["failed"]
    assert head == 200


@pytest.mark.parametrize("mode", MODES)
async def test_the_npm_package_in_a_page(guest: Page, mode: str) -> None:
    async with agents_as_members(mode) as federation:
        for options in ({}, {"apiToken": "somebody-else-s"}, {"buildToken": ""}):
            given = [f"{federation.url}/build", SPEC, options]
            events = await guest.evaluate(BINDERHUB_CLIENT, given)

            assert events[-1]["phase"] == "ready", f"{options}: {events}"
            assert events[-1]["token"]


@pytest.mark.parametrize("mode", MODES)
async def test_the_npm_package_in_node(npm: NpmClient, mode: str) -> None:
    async with agents_as_members(mode) as federation:
        events = await npm.launch(federation.url, SPEC)
        again = await npm.launch(federation.url, SPEC, apiToken="somebody-else-s")
        refused = await npm.launch(federation.url, "nosuch/a/b")

    phases = [event["phase"] for event in events]
    assert phases[-1] == "ready", events
    assert "building" in phases, "the first launch builds"
    last = events[-1]
    assert last["url"].startswith("http"), last
    assert last["token"], last
    assert last["binder_request"] == f"v2/{SPEC}", last
    assert last["binder_launch_host"] == f"{federation.url}/", last
    assert again[-1]["phase"] == "ready", again
    assert any("Found built image" in event.get("message", "") for event in again), again
    assert refused[-1]["phase"] == "failed", refused


async def test_the_npm_package_is_told_that_a_repository_does_not_build(npm: NpmClient) -> None:
    member = FakeMember("alpha")
    await member.start()
    try:
        member.fail_next(Failure.BUILD_FAILS)
        async with running_federation([member]) as federation:
            events = await npm.launch(federation.url, SPEC)
    finally:
        await member.stop()

    assert events[-1]["phase"] == "failed"
    assert "nosuchthing" in events[-1]["message"]
