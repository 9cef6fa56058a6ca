"""Crawlers start no launches; tools, browsers and people do."""

import asyncio
import re

import httpx
import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from binder_federation.binder.events import Phase
from binder_federation.federation.limits.bots import TOOLS
from tests.support.fake_member import FakeMember
from tests.support.federation_server import SHA, FederationServer, running_federation

PATH = f"/build/gh/owner/repository/{SHA}"
STREAM = {"Accept": "text/event-stream"}
PEOPLE = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/128.0.0.0 Safari/537.36"
    ),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
        "Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
    ),
    (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "HeadlessChrome/120.0 Safari/537.36"
    ),
    "curl/8.5.0",
    "Wget/1.21.4",
    "HTTPie/3.2.2",
    "python-requests/2.32.3",
    "Python-urllib/3.11",
    "Python/3.11 aiohttp/3.14.0",
    "python-httpx/0.28.1",
    "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
    "",
]


async def test_the_whole_list_starts_no_launch(
    federation: FederationServer, alpha: FakeMember, beta: FakeMember
) -> None:
    agents = [
        instance
        for entry in CRAWLER_USER_AGENTS_DATA
        if not any(re.search(entry["pattern"], tool) for tool in TOOLS)
        for instance in entry["instances"][:3]
        if instance.isascii() and instance.isprintable()
    ]
    assert len(agents) > 1500
    limit = asyncio.Semaphore(20)

    async def ask(agent: str) -> int:
        async with limit:
            headers = {**STREAM, "User-Agent": agent.strip()}
            return (await federation.client.get(PATH, headers=headers)).status_code

    statuses = await asyncio.gather(*map(ask, agents))
    let_in = [agent for agent, status in zip(agents, statuses, strict=True) if status != 403]
    assert let_in == []
    assert alpha.paths == beta.paths == []
    assert federation.context.launches.under_way == 0


@pytest.mark.parametrize("agent", PEOPLE, ids=lambda agent: agent[-40:])
async def test_people_and_their_tools_launch(federation: FederationServer, agent: str) -> None:
    seen = await federation.launch(headers={"User-Agent": agent})
    assert seen.last.phase is Phase.READY


async def test_a_crawler_is_told_why(federation: FederationServer) -> None:
    bot = {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}
    answer = await federation.client.get(PATH, headers={**bot, "Accept": "*/*"})
    assert (answer.status_code, answer.json()["code"]) == (403, "bot_refused")
    assert (await federation.client.head(PATH, headers=bot)).status_code == 403
    for page in ("/", "/status", "/v2/gh/owner/repository/HEAD"):
        assert (await federation.client.get(page, headers=bot)).status_code == 200
    robots = (await federation.client.get("/robots.txt")).text
    for path in ("/build/", "/v2/", "/repo/"):
        assert f"Disallow: {path}" in robots


async def test_operators_choose(alpha: FakeMember) -> None:
    bots = {"also": ["OurOwnBot"], "let_through": ["Googlebot"]}
    async with running_federation([alpha], bots=bots) as server:

        async def status(agent: str) -> int:
            headers = {**STREAM, "User-Agent": agent}
            return (await server.client.get(PATH, headers=headers)).status_code

        assert await status("OurOwnBot/1.0") == 403
        assert await status("Googlebot/2.1") == 200
        assert await status("bingbot/2.0") == 403
    async with running_federation([alpha], bots={"refuse": False}) as server:
        assert (await server.launch(headers={"User-Agent": "bingbot/2.0"})).status == 200


async def test_links_that_launch_are_not_for_crawlers(federation: FederationServer) -> None:
    async with httpx.AsyncClient(base_url=federation.url) as client:
        page = (await client.get("/v2/gh/owner/repository/HEAD")).text
    [link] = re.findall(r"<a [^>]*href=\"/build/[^>]*>", page)
    assert 'rel="nofollow"' in link
