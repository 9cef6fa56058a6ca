"""Pages of other origins: every answer of `/build` can be read by them, refusals too."""

import httpx
import pytest

from tests.support.fake_member import FakeMember
from tests.support.federation_server import FederationServer, running_federation

PATH = f"gh/owner/repository/{'1' * 40}"
PAGE = "https://book.example"
FROM_PAGE = {"Origin": PAGE, "Accept": "text/event-stream"}
REDIRECT = {"mode": "redirect"}


def assert_readable(answer: httpx.Response, origin: str = PAGE) -> None:
    """The page of `origin` may read it, also when it asked with credentials."""
    assert answer.headers.get("Access-Control-Allow-Origin") == origin, answer.status_code
    assert answer.headers.get("Access-Control-Allow-Credentials") == "true"
    assert answer.headers.get("Vary", "").startswith("Origin")


@pytest.mark.parametrize("mode", ["stream", "redirect"])
async def test_a_preflight_is_answered_here_whatever_is_to_be_sent(
    alpha: FakeMember, mode: str
) -> None:
    wanted = "authorization,cache-control,last-event-id,x-xsrftoken"
    asked = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": wanted,
    }
    async with running_federation([alpha], launch={"mode": mode}) as federation:
        answer = await federation.client.options(f"/build/{PATH}", headers=asked)

    assert answer.status_code == 204, "a browser follows no redirect of a preflight"
    assert_readable(answer)
    assert answer.headers["Access-Control-Allow-Headers"] == wanted
    assert {"GET", "HEAD"} <= set(answer.headers["Access-Control-Allow-Methods"].split(", "))
    assert int(answer.headers["Access-Control-Max-Age"]) > 0
    assert "Access-Control-Request-Headers" in answer.headers["Vary"]


@pytest.mark.parametrize("mode", ["stream", "redirect"])
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "nosuch/x/y", 400),
        ("HEAD", "nosuch/x/y", 400),
        ("GET", "git/file%3A%2F%2F%2Fetc/HEAD", 400),
        ("POST", PATH, 405),
        ("PUT", PATH, 405),
        ("DELETE", PATH, 405),
    ],
)
async def test_refusals_can_be_read(
    alpha: FakeMember, mode: str, method: str, path: str, status: int
) -> None:
    async with running_federation([alpha], launch={"mode": mode}) as federation:
        as_page = {"Origin": PAGE}
        answer = await federation.client.request(method, f"/build/{path}", headers=as_page)

    assert answer.status_code in (status, 403), answer.text
    assert_readable(answer)
    if status == 405:
        assert {"GET", "HEAD", "OPTIONS"} <= set(answer.headers["Allow"].split(","))
        assert answer.json()["code"] == "http_405"


async def test_what_there_is_nobody_for_can_be_read_with_its_wait() -> None:
    async with running_federation([], launch=REDIRECT) as federation:
        answer = await federation.client.get(f"/build/{PATH}", headers=FROM_PAGE)
        missing = await federation.client.get("/build", headers=FROM_PAGE)

    assert answer.status_code == 503
    assert_readable(answer)
    assert "no_eligible_member" in answer.text
    assert missing.status_code == 404
    assert_readable(missing)


async def test_a_stream_and_its_headers_can_be_read(alpha: FakeMember) -> None:
    async with (
        running_federation([alpha]) as federation,
        federation.client.stream("GET", f"/build/{PATH}", headers=FROM_PAGE) as answer,
    ):
        assert answer.status_code == 200
        assert_readable(answer)
        exposed = set(answer.headers["Access-Control-Expose-Headers"].split(", "))
        assert {"X-Binder-Launch", "Retry-After", "X-RateLimit-Remaining"} <= exposed
        assert answer.headers["X-Binder-Launch"]


async def test_who_is_no_page_gets_a_star(federation: FederationServer) -> None:
    answer = await federation.client.head(f"/build/{PATH}")

    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_where_origins_are_named_other_pages_may_not_launch(alpha: FakeMember) -> None:
    named = {"origins": [PAGE]}
    async with running_federation([alpha], cors=named, launch=REDIRECT) as federation:
        theirs = await federation.client.get(f"/build/{PATH}", headers=FROM_PAGE)
        other = {**FROM_PAGE, "Origin": "https://evil.example"}
        others = await federation.client.get(f"/build/{PATH}", headers=other)
        preflight = await federation.client.options(f"/build/{PATH}", headers=other)

    assert_readable(theirs)
    assert "Access-Control-Allow-Origin" not in others.headers
    assert "Access-Control-Allow-Origin" not in preflight.headers


async def test_nothing_but_launching_takes_credentials(federation: FederationServer) -> None:
    for path in ("/health", "/versions", "/api/members", "/api/admin/explain/gh/o/r/HEAD", "/"):
        answer = await federation.client.get(path, headers=FROM_PAGE)
        assert "Access-Control-Allow-Credentials" not in answer.headers, path


@pytest.mark.parametrize("mode", ["stream", "redirect"])
async def test_limits_and_bans_can_be_read(alpha: FakeMember, mode: str) -> None:
    one = {"rate_limit": {"launches": 1, "exempt_networks": []}}
    async with running_federation([alpha], policy=one, launch={"mode": mode}) as federation:
        page = {"Origin": PAGE}
        async with federation.client.stream("GET", f"/build/{PATH}", headers=page) as first:
            assert first.status_code in (200, 307)
            assert_readable(first)
            assert first.headers["X-RateLimit-Remaining"] == "0", "pages may know what is left"
        limited = await federation.client.get(f"/build/{PATH}", headers=page)
    banned = {"banned_networks": {"127.0.0.0/8": "a test"}}
    async with running_federation([], policy=banned, launch={"mode": mode}) as federation:
        refused = await federation.client.get(f"/build/{PATH}", headers=page)

    assert limited.status_code == 429
    assert_readable(limited)
    assert int(limited.headers["Retry-After"]) > 0
    assert "Retry-After" in limited.headers["Access-Control-Expose-Headers"]
    assert refused.status_code == 403
    assert_readable(refused)
