"""The pages' addresses, on a real server."""

import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
from yarl import URL

from binder_federation.binder.events import Phase
from binder_federation.config.pages import ExtraScript, PageSettings
from binder_federation.federation.pages.assets import load_assets
from tests.support.fake_member import FakeMember
from tests.support.federation_server import SHA, running_federation
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


BADGES = [
    "/badge.svg",
    "/badge_logo.svg",
    "/assets/images/badge.svg",
    "/static/images/badge.svg",
    "/static/images/badge_logo.svg",
]


@pytest.mark.parametrize("path", BADGES)
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


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/favicon.ico", "/favicon.svg"),
        ("/favicon_building.ico", "/favicon-building.svg"),
        ("/favicon_success.ico", "/favicon-ready.svg"),
        ("/favicon_fail.ico", "/favicon-failed.svg"),
        ("/static/favicon.ico", "/favicon.svg"),
        ("/static/images/favicon/success.ico", "/favicon-ready.svg"),
        ("/static/images/favicon/fail.ico", "/favicon-failed.svg"),
        ("/static/images/favicon_building.ico", "/favicon-building.svg"),
        ("/static/logo.svg", "/logo.svg"),
        ("/static/images/logo_square.png", "/logo.svg"),
        ("/static/images/logo_social.png", "/logo_social.png"),
        ("/about/", "/about"),
    ],
)
async def test_addresses_that_binderhub_serves_lead_to_ours(
    client: aiohttp.ClientSession, old: str, new: str
) -> None:
    async with client.get(old, allow_redirects=False) as moved:
        assert (moved.status, moved.headers["Location"]) == (301, new)
    async with client.get(old) as answer:
        assert answer.status == 200


async def test_the_picture_of_cards_is_served(client: aiohttp.ClientSession) -> None:
    async with client.get("/logo_social.png") as answer:
        assert (answer.status, answer.content_type) == (200, "image/png")
        assert (await answer.read()).startswith(b"\x89PNG")
        assert "charset" not in answer.headers["Content-Type"]


async def test_a_slash_at_a_link_s_end_is_left_out(client: aiohttp.ClientSession) -> None:
    for path in ("/v2/gh/owner/name/HEAD/", "/v2/zenodo/10.5281/zenodo.3242074/?urlpath=lab"):
        async with client.get(path) as answer:
            assert answer.status == 200
            assert path.partition("?")[0].rstrip("/").replace("/v2/", "/build/") in (
                await answer.text()
            )


async def test_extra_scripts_may_be_loaded_from_where_they_are() -> None:
    script = ExtraScript(src="https://stats.uni.example/x.js")
    async with (
        scripted_federation(settings=PageSettings(extra_scripts=(script,))) as federation,
        aiohttp.ClientSession() as session,
        session.get(federation.url) as answer,
    ):
        policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self' https://stats.uni.example;" in policy
    assert "unsafe" not in policy


PAGES = ["/", "/about", "/v2/gh/o/r/HEAD", "/repo/o/r", "/badge.svg", "/logo_social.png"]


async def test_without_pages_only_the_api_answers() -> None:
    """As BinderHub with `enable_api_only_mode`."""
    async with running_federation([], pages={"enabled": False}) as federation:
        for path in [*PAGES, "/favicon.ico", "/preview/gh/o/r/HEAD?path=x.ipynb"]:
            answer = await federation.client.get(path)
            assert (answer.status_code, answer.json()["code"]) == (404, "http_404"), path
        for path in ("/versions", "/metrics", "/health", "/api/repoproviders", "/api/members"):
            assert (await federation.client.get(path)).status_code == 200, path


async def test_a_launch_from_our_page_brings_the_page_s_token() -> None:
    """BinderHub's home page launches without one, and is rate-limited (defect 13)."""
    member = FakeMember("alpha")
    await member.start()
    async with running_federation([member], tokens={"required": True}) as federation:
        path = f"gh/owner/name/{SHA}"
        page = (await federation.client.get(f"/v2/{path}")).text
        found = re.search(r'"buildToken": "([^"]+)"', page)
        assert found, "the page has no token"
        refused = await federation.launch(path)
        assert refused.last.fields["code"] == "not_authorized"
        let_in = await federation.launch(path, query=f"?build_token={found[1]}", most_events=1)
        assert let_in.last.phase is not Phase.FAILED
    await member.stop()
