"""The pages' addresses, on a real server."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from yarl import URL

from binder_federation.federation.pages.assets import load_assets
from tests.support.scripted_federation import scripted_federation


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        scripted_federation() as federation,
        aiohttp.ClientSession(federation.url) as session,
    ):
        yield session


@pytest.mark.parametrize("path", ["/", "/about", "/v2/gh/owner/name/HEAD"])
async def test_pages_are_not_kept_and_allow_no_foreign_script(
    client: aiohttp.ClientSession, path: str
) -> None:
    async with client.get(path) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/html"
        assert answer.headers["Cache-Control"] == "no-store"
        policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


async def test_a_malformed_link_gets_a_page_with_its_status(client: aiohttp.ClientSession) -> None:
    for path in ("/v2/gh/owner/name", "/v2/", "/v2/gh", "/v2/gh/" + "x" * 3000, "/v2/gh/o/r/a%0Ab"):
        async with client.get(path) as answer:
            assert answer.status == 400, path
            assert answer.content_type == "text/html"
            assert "This link cannot be launched" in await answer.text()


async def test_an_escaped_slash_reaches_the_stream_s_address_unchanged(
    client: aiohttp.ClientSession,
) -> None:
    path = URL("/v2/git/https%3A%2F%2Fhost%2Fr.git/HEAD", encoded=True)
    async with client.get(path) as answer:
        assert '"buildPath": "/build/git/https%3A%2F%2Fhost%2Fr.git/HEAD"' in await answer.text()


@pytest.mark.parametrize("path", ["/badge.svg", "/badge_logo.svg", "/assets/images/badge.svg"])
async def test_badges_may_be_used_anywhere(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path) as answer:
        assert answer.status == 200
        assert answer.content_type == "image/svg+xml"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "max-age" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("state", ["", "-building", "-launching", "-ready", "-failed"])
async def test_there_is_an_icon_for_every_state(client: aiohttp.ClientSession, state: str) -> None:
    async with client.get(f"/favicon{state}.svg") as answer:
        assert answer.status == 200
        assert answer.content_type == "image/svg+xml"


async def test_static_files_are_kept_for_good_under_their_digest_only(
    client: aiohttp.ClientSession,
) -> None:
    assets = load_assets()
    async with client.get(assets.path("launch.js")) as answer:
        assert answer.content_type == "text/javascript"
        assert "immutable" in answer.headers["Cache-Control"]
    async with client.get("/static/0123456789abcdef/launch.js") as answer:
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", ["missing.js", "..%2Fassets.py", "%2e%2e%2frender.py", "%00"])
async def test_nothing_but_static_files_is_served(client: aiohttp.ClientSession, name: str) -> None:
    digest = load_assets().digest
    async with client.get(URL(f"/static/{digest}/{name}", encoded=True)) as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/repo/owner/name", "/v2/gh/owner/name/HEAD"),
        ("/repo/owner/name/", "/v2/gh/owner/name/HEAD"),
        ("/repo/owner/name/tree/a%20b.ipynb", "/v2/gh/owner/name/HEAD?urlpath=tree/a%20b.ipynb"),
        ("/repo/owner/name/lab&x", "/v2/gh/owner/name/HEAD?urlpath=lab%26x"),
    ],
)
async def test_old_links_still_lead_somewhere(
    client: aiohttp.ClientSession, old: str, new: str
) -> None:
    async with client.get(old, allow_redirects=False) as answer:
        assert answer.status == 302
        assert answer.headers["Location"] == new
