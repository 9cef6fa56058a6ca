"""Rate limits, build tokens and bans at `/build`, as a visitor behind a proxy meets them."""

import hashlib
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest

from tests.support.fake_member import FakeMember
from tests.support.federation_server import SHA, FederationServer, running_federation

PATH = f"gh/owner/repository/{SHA}"
STREAM = {"Accept": "text/event-stream"}
KEY = "a key for visitors' tokens, of 32 bytes or more"
ADMIN = "the-operators-own-token"
LIMITED: dict[str, Any] = {
    "trusted_proxies": ["127.0.0.0/8"],
    "policy": {
        "rate_limit": {"launches": 2},
        "banned_networks": {"198.51.100.0/24": "Example Networks"},
        "banned_specs": [
            {"pattern": "gh/spam/.*", "message": "That was abused."},
            {"pattern": "gh/owner/.*/wrong"},
        ],
    },
    "tokens": {"keys": [KEY]},
    "admin": {"token": ADMIN},
}


def visitor(address: str, **headers: str) -> dict[str, str]:
    """Headers of a request that our proxy took from `address`."""
    return {**STREAM, "X-Forwarded-For": f"192.0.2.99, {address}", **headers}


@pytest.fixture
async def limited(alpha: FakeMember) -> AsyncIterator[FederationServer]:
    async with running_federation([alpha], **LIMITED) as server:
        yield server


async def ask(
    server: FederationServer, headers: dict[str, str], path: str = PATH
) -> httpx.Response:
    """The answer's head; the launch goes on without us."""
    async with server.client.stream("GET", f"/build/{path}", headers=headers) as answer:
        if answer.status_code != 200:
            await answer.aread()
        return answer


async def page_token(server: FederationServer, path: str = PATH) -> str:
    """The build token in the page that a visitor's browser loads."""
    page = await server.client.get(f"/v2/{path}", headers=visitor("203.0.113.7"))
    found = re.search(r"ey[\w-]+\.[\w-]+\.[\w-]+", page.text)
    assert found, "the loading page carries no build token"
    return found[0]


@pytest.mark.parametrize(
    ("comes_from", "statuses"), [("127.0.0.2", [200] * 4), ("127.0.0.3", [200, 200, 429, 429])]
)
async def test_this_machine_is_not_limited_by_whatever_address_it_asks(
    alpha: FakeMember, comes_from: str, statuses: list[int]
) -> None:
    policy = {"rate_limit": {"launches": 2, "exempt_networks": ["127.0.0.1/32"]}}
    transport = httpx.AsyncHTTPTransport(local_address=comes_from)
    async with (
        running_federation([alpha], host="127.0.0.2", policy=policy) as server,
        httpx.AsyncClient(base_url=server.url, transport=transport) as client,
    ):
        heads = [await client.head(f"/build/{PATH}") for _ in statuses]
        answers = [
            await ask(FederationServer(server.url, client, server.context), {}) for _ in statuses
        ]
    assert {head.status_code for head in heads} == {200}, "to look first is not counted"
    assert [answer.status_code for answer in answers] == statuses


async def test_launches_without_a_token_are_limited_by_address(limited: FederationServer) -> None:
    answers = [await ask(limited, visitor("203.0.113.7")) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
    assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"2"}
    resets_in = int(answers[0].headers["x-ratelimit-reset"]) - time.time()
    assert 3500 < resets_in <= 3600

    other = await ask(limited, visitor("203.0.113.8"))
    assert other.status_code == 200, "another address has its own limit"


async def test_a_refusal_says_how_long_to_wait(limited: FederationServer) -> None:
    headers = visitor("203.0.113.7")
    for _ in range(2):
        await ask(limited, headers)
    refused = await limited.client.get(f"/build/{PATH}", headers={**headers, "Accept": "*/*"})
    assert refused.status_code == 429
    assert 3500 < int(refused.headers["Retry-After"]) <= 3600
    assert "again in 60 minutes" in refused.json()["message"]
    metrics = (await limited.client.get("/metrics")).text
    assert 'binderfed_refused_total{code="rate_limited"} 1.0' in metrics

    browser = await limited.launch(headers={**headers, "Sec-Fetch-Mode": "cors"})
    assert browser.status == 200, "an EventSource reads no body of an error"
    assert browser.last.fields["code"] == "rate_limited"
    assert browser.last.fields["retry_after_seconds"] > 3500
    assert browser.last.fields["status_code"] == 429


async def test_ipv6_is_limited_by_its_network(limited: FederationServer) -> None:
    addresses = ["2001:db8:1:2::1", "2001:db8:1:2:3::", "2001:db8:1:2::f", "2001:db8:1:3::1"]
    answers = [await ask(limited, visitor(address)) for address in addresses]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 200]


async def test_a_head_request_counts_nothing(limited: FederationServer) -> None:
    headers = visitor("203.0.113.7")
    for _ in range(5):
        answer = await limited.client.head(f"/build/{PATH}", headers=headers)
        assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (200, "1")
    for _ in range(2):
        await ask(limited, headers)
    answer = await limited.client.head(f"/build/{PATH}", headers=headers)
    assert answer.status_code == 429


async def test_a_launch_that_is_gone_on_with_is_not_counted_again(
    limited: FederationServer,
) -> None:
    headers = visitor("203.0.113.7")
    seen = await limited.launch(headers=headers, most_events=2)
    for _ in range(4):
        again = await limited.launch(
            headers={**headers, "Last-Event-ID": seen.ids[0]}, most_events=1
        )
        assert again.status == 200
    assert (await ask(limited, headers)).status_code == 200, "one launch is left"


async def test_a_made_up_event_id_does_not_go_round_the_limit(limited: FederationServer) -> None:
    answers = [
        await ask(limited, visitor("203.0.113.7", **{"Last-Event-ID": f"{number:016d}:-:1"}))
        for number in range(3)
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 429]


async def test_what_a_ban_refuses_is_not_counted(limited: FederationServer) -> None:
    headers = visitor("203.0.113.7")
    for path in (f"gh/spam/thing/{SHA}", "gh/owner/repository/wrong", "gh/"):
        assert (await ask(limited, headers, path)).status_code in (400, 403)
    assert (await ask(limited, headers)).headers["x-ratelimit-remaining"] == "1"


async def test_launches_from_our_own_page_have_a_limit_of_their_own(
    limited: FederationServer,
) -> None:
    token = await page_token(limited)
    for _ in range(4):
        answer = await ask(limited, visitor("203.0.113.7"), f"{PATH}?build_token={token}")
        assert answer.status_code == 200
        assert answer.headers["x-ratelimit-limit"] == "100"
    bearer = visitor("203.0.113.7", Authorization=f"Bearer {token}")
    assert (await ask(limited, bearer)).headers["x-ratelimit-remaining"] == "95"


async def test_the_spelling_of_a_link_does_not_matter_to_its_token(
    limited: FederationServer,
) -> None:
    token = await page_token(limited, f"gh/%6Fwner/repository/{SHA}")
    answer = await ask(limited, visitor("203.0.113.7"), f"{PATH}?build_token={token}")
    assert (answer.status_code, answer.headers["x-ratelimit-limit"]) == (200, "100")


async def test_a_token_for_something_else_is_refused(limited: FederationServer) -> None:
    token = await page_token(limited)
    headers = visitor("203.0.113.7")
    other = await ask(limited, headers, f"gh/owner/other/{SHA}?build_token={token}")
    elsewhere = await ask(
        limited, {**headers, "Origin": "https://x.example"}, f"{PATH}?build_token={token}"
    )
    claims = jwt.decode(token, options={"verify_signature": False})
    forged_token = jwt.encode(claims, "a key that is none of the federation's", algorithm="HS256")
    forged = await ask(limited, headers, f"{PATH}?build_token={forged_token}")
    assert [other.status_code, elsewhere.status_code, forged.status_code] == [403, 403, 403]


async def test_a_page_that_was_left_open_launches_as_without_a_token(
    limited: FederationServer,
) -> None:
    claims = jwt.decode(await page_token(limited), options={"verify_signature": False})
    key = hashlib.sha256(b"binder visitor token\0" + KEY.encode()).digest()
    old = jwt.encode({**claims, "exp": claims["exp"] - 1000}, key, algorithm="HS256")
    answer = await ask(limited, visitor("203.0.113.7"), f"{PATH}?build_token={old}")
    assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (200, "1")


async def test_tokens_may_be_required(alpha: FakeMember) -> None:
    tokens = {"keys": [KEY], "required": True}
    async with running_federation([alpha], tokens=tokens) as server:
        assert (await ask(server, STREAM)).status_code == 403
        token = await page_token(server)
        assert (await ask(server, STREAM, f"{PATH}?build_token={token}")).status_code == 200
        operator = {**STREAM, "Authorization": f"Bearer {ADMIN}"}
        assert (await ask(server, operator)).status_code == 403, "no admin token is set here"


async def test_an_operators_own_scripts_are_not_limited(limited: FederationServer) -> None:
    headers = visitor("203.0.113.7", Authorization=f"Bearer {ADMIN}")
    answers = [await ask(limited, headers) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200] * 4


async def test_a_banned_network_gets_no_launch_and_no_page(limited: FederationServer) -> None:
    headers = visitor("198.51.100.9")
    refused = await ask(limited, {**headers, "Accept": "*/*"})
    assert refused.status_code == 403
    assert refused.json()["message"] == "Requests from Example Networks are not allowed."
    assert (await limited.client.head(f"/build/{PATH}", headers=headers)).status_code == 403
    for page in ("/", f"/v2/{PATH}", "/about"):
        answer = await limited.client.get(page, headers=headers)
        assert (answer.status_code, "Example Networks" in answer.text) == (403, True)
        assert answer.headers["Content-Type"].startswith("text/html")
    for open_to_all in ("/health", "/versions", "/metrics", "/badge.svg"):
        assert (await limited.client.get(open_to_all, headers=headers)).status_code == 200


async def test_a_banned_repository_is_told_in_the_operators_words(
    limited: FederationServer,
) -> None:
    seen = await limited.launch(f"gh/spam/thing/{SHA}", headers=visitor("203.0.113.7"))
    assert (seen.status, seen.last.fields["code"]) == (403, "spec_banned")
    assert seen.last.message == "That was abused.\n"


async def test_who_is_not_our_proxy_is_not_believed(alpha: FakeMember) -> None:
    settings = {**LIMITED, "trusted_proxies": ["10.0.0.0/8"]}
    async with running_federation([alpha], **settings) as server:
        banned = await ask(server, visitor("198.51.100.9"))
        assert banned.status_code == 200, "the header is the visitor's own"
        answers = [await ask(server, visitor(f"203.0.113.{n}")) for n in range(2)]
        assert [answer.status_code for answer in answers] == [200, 429], (
            "behind a proxy that nobody told us of, everybody is one address"
        )
        assert (await ask(server, STREAM)).status_code == 200, "this machine itself is exempt"


async def test_a_proxys_scheme_and_host_are_the_visitors(
    limited: FederationServer, alpha: FakeMember
) -> None:
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "binder.example"}
    page = await limited.client.get(f"/v2/{PATH}", headers={**visitor("203.0.113.7"), **forwarded})
    assert "https://binder.example" in page.text
    plain = await limited.client.get(f"/v2/{PATH}", headers={"X-Forwarded-For": "unknown"})
    assert "https://binder.example" not in plain.text


async def test_redirects_tell_what_is_left(alpha: FakeMember) -> None:
    async with running_federation([alpha], launch={"mode": "redirect"}, **LIMITED) as server:
        answers = [await ask(server, visitor("203.0.113.7")) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [307, 307, 429]
        assert [a.headers["x-ratelimit-remaining"] for a in answers] == ["1", "0", "0"]
