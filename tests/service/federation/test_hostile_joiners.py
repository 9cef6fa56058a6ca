"""Joiners whose addresses were made to do harm: refused in a sentence, and nothing else happens."""

import re
from collections.abc import AsyncIterator

import pytest

from binder_federation.federation.joining.places import Places, find_session_trouble
from tests.support.fake_member import FakeMember
from tests.support.federation_server import FederationServer, running_federation
from tests.support.joining_member import JoiningMember

PAGES = ("/", "/status", "/v2/gh/owner/repository/HEAD", "/metrics", "/api/members", "/status.atom")

ADDRESSES = [
    "https://uni.example/\x00",
    "https://[uni.example",
    "https://[::1",
    "https://uni.example;script-src *",
    "https://uni.example; script-src 'unsafe-inline'",
    "https://uni.example,https://evil.example",
    "https://*.example",
    "https://*",
    "https://uni.example/a b",
    "https://uni.example/\r\nX: y",
    "https://uni.example/?q=1",
    "https://uni.example/#f",
    "https://user:secret@uni.example",
    "https://uni.example:99999",
    "https://uni.example:x",
    "https://",
    "https:///path",
    "javascript://uni.example/%0aalert(1)",
    "file:///etc/passwd",
    "gopher://uni.example",
    "https://uni\u202e.example",
    "https://uni.example/<script>",
    "https://uni.example/'\"",
    "https://uni.example\\@evil.example",
    "https://" + "x" * 600 + ".example",
]


@pytest.fixture
async def newcomer() -> AsyncIterator[JoiningMember]:
    member = JoiningMember("uni-x")
    await member.start()
    yield member
    await member.stop()


async def invite(server: FederationServer) -> str:
    answer = await server.client.post("/api/admin/invitations", json={"name": "uni-x"})
    token = answer.json()["token"]
    assert isinstance(token, str)
    return token


async def ask(server: FederationServer, token: str, **fields: str) -> tuple[int, str]:
    body = {"token": token, "agent_id": "a" * 20, "stack": "fake", **fields}
    answer = await server.client.post("/api/join", json=body)
    return answer.status_code, answer.text


@pytest.mark.parametrize("address", ADDRESSES, ids=lambda address: repr(address[:40]))
async def test_an_address_that_is_none_is_refused(alpha: FakeMember, address: str) -> None:
    async with running_federation([alpha], launch={"mode": "redirect"}) as server:
        token = await invite(server)
        for fields in (
            {"url": address},
            {"url": "https://uni.example", "public_url": address},
        ):
            status, text = await ask(server, token, **fields)
            assert status == 400, text
        members = (await server.client.get("/api/members")).json()["members"]
        assert [member["name"] for member in members] == ["alpha"]
        for page in PAGES:
            assert (await server.client.get(page)).status_code == 200


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:8585",
        "http://10.0.0.7",
        "http://192.168.1.1/admin",
        "http://169.254.169.254/latest",
        "http://[::1]:6379",
        "http://[::ffff:127.0.0.1]",
        "http://localhost:9000",
        "http://0.0.0.0",
        "http://2130706433",
        "http://0x7f000001",
    ],
)
async def test_nobody_joins_from_the_inside(alpha: FakeMember, address: str) -> None:
    async with running_federation([alpha], joining={"allow_private_addresses": False}) as server:
        token = await invite(server)
        status, text = await ask(server, token, url=address)
        assert status == 400, text
        assert "public" in text


async def test_only_admitted_members_are_in_the_pages_policy(
    alpha: FakeMember, newcomer: JoiningMember
) -> None:
    joining = {"first_pause_seconds": 600, "most_pause_seconds": 600}
    async with running_federation([alpha], launch={"mode": "redirect"}, joining=joining) as server:
        newcomer.is_buffering = True
        await newcomer.join(server.client, await invite(server))
        policy = (await server.client.get("/v2/gh/owner/repository/HEAD")).headers[
            "Content-Security-Policy"
        ]
        [connect] = re.findall(r"connect-src ([^;]*)", policy)
        assert alpha.url in connect
        assert newcomer.url not in connect


@pytest.mark.parametrize(
    ("session", "member", "fits"),
    [
        ("https://hub.uni.example/user/x/", "https://agent.uni.example", True),
        ("https://uni.example/user/x/", "https://uni.example", True),
        ("https://10.0.0.7/user/x/", "https://10.0.0.7:8585", True),
        ("https://evil.example/user/x/", "https://agent.uni.test", False),
        ("http://10.0.0.8/user/x/", "https://10.0.0.7", False),
        ("http://169.254.169.254/latest", "https://agent.uni.example", False),
        ("http://redis:6379/", "https://agent.uni.example", False),
        ("https://hub.uni.example/user/x/?a=1", "https://agent.uni.example", False),
        ("https://hub.uni.example/user/x/#a", "https://agent.uni.example", False),
        ("https://u:p@hub.uni.example/", "https://agent.uni.example", False),
        ("javascript:alert(1)", "https://agent.uni.example", False),
        ("", "https://agent.uni.example", False),
    ],
)
def test_a_session_is_on_its_members_site(session: str, member: str, fits: bool) -> None:
    assert (find_session_trouble(session, member) == "") is fits


async def test_a_name_is_looked_up_before_it_is_asked() -> None:
    places = Places(allow_private=False)
    assert "not on the public internet" in await places.trouble("https://localhost/x")
    assert await Places(allow_private=True).trouble("https://localhost/x") == ""
