"""Visitors who try to launch without end with a page's token."""

import asyncio
import re
from typing import Any

import httpx

from binder_federation.binder.events import Phase
from tests.support.fake_member import FakeMember
from tests.support.federation_server import SHA, FederationServer, Seen, running_federation

PATH = f"gh/owner/repository/{SHA}"
PROXIES: dict[str, Any] = {"trusted_proxies": ["127.0.0.1/32"]}
STREAM = {"Accept": "text/event-stream"}
LIMITS = {"rate_limit": {"launches": 2, "launches_with_page": 5}}


async def token_of(server: FederationServer, address: str) -> str:
    page = await server.client.get(f"/v2/{PATH}", headers={"X-Forwarded-For": address})
    [token] = re.findall(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", page.text)
    return str(token)


async def launch(server: FederationServer, address: str, token: str = "") -> Seen:
    query = f"?build_token={token}" if token else ""
    return await server.launch(PATH, headers={"X-Forwarded-For": address}, query=query)


def codes(seen: list[Seen]) -> list[str]:
    return [str(one.last.fields.get("code", "ready")) for one in seen]


async def test_one_token_is_for_one_visitor(alpha: FakeMember) -> None:
    async with running_federation([alpha], policy=LIMITS, **PROXIES) as server:
        token = await token_of(server, "192.0.2.1")
        others = [await launch(server, "192.0.2.9", token) for _ in range(4)]
        assert codes(others) == ["ready", "ready", "rate_limited", "rate_limited"]
        own = [await launch(server, "192.0.2.1", token) for _ in range(3)]
        assert codes(own) == ["ready"] * 3


async def test_launches_with_a_token_have_a_limit_too(alpha: FakeMember) -> None:
    """300 of them were launched in 0.6 s, at a limit of 10."""
    async with running_federation([alpha], policy=LIMITS, **PROXIES) as server:
        token = await token_of(server, "192.0.2.1")
        seen = await asyncio.gather(*(launch(server, "192.0.2.1", token) for _ in range(30)))
        told = codes(list(seen))
        assert (told.count("ready"), told.count("rate_limited")) == (5, 25)
        assert alpha.servers.total() == 5
        scripted = await launch(server, "192.0.2.1")
        assert scripted.last.phase is Phase.READY, "what scripts launch is counted apart"


async def test_where_a_token_is_needed_anothers_is_none(alpha: FakeMember) -> None:
    async with running_federation(
        [alpha], tokens={"required": True}, policy=LIMITS, **PROXIES
    ) as server:
        token = await token_of(server, "192.0.2.1")
        refused = await launch(server, "198.51.100.1", token)
        assert refused.last.fields["code"] == "not_authorized"
        assert "loaded again" in refused.last.fields["advice"]
        assert (await launch(server, "192.0.2.1", token)).last.phase is Phase.READY


async def test_a_redirects_token_starts_one_server(alpha: FakeMember) -> None:
    """However often it is sent: the member knows the launch by the id in it."""
    async with running_federation([alpha], launch={"mode": "redirect"}) as server:
        answer = await server.client.get(f"/build/{PATH}", headers=STREAM)
        assert answer.status_code == 307
        async with httpx.AsyncClient(timeout=20) as browser:
            for _ in range(3):
                told = await browser.get(answer.headers["Location"], headers=STREAM)
                assert '"ready"' in told.text
        assert alpha.servers.total() == 1
