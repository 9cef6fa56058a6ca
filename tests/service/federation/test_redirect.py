"""`launch.mode: redirect`: the browser is sent to the member that was chosen."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from binder_federation.binder.build_tokens import verify_build_token
from binder_federation.binder.events import Event, StreamParser, event_from_json
from tests.support.agent_server import running_agent
from tests.support.fake_member import CREDENTIAL, FakeMember
from tests.support.federation_server import FederationServer, running_federation

SHA = "1" * 40
PATH = f"gh/owner/repository/{SHA}"
STREAM = {"Accept": "text/event-stream"}
PAGE = "https://book.example"
REDIRECT = {"mode": "redirect"}


@pytest.fixture
async def redirecting(alpha: FakeMember, beta: FakeMember) -> AsyncIterator[FederationServer]:
    async with running_federation([alpha, beta], launch=REDIRECT) as server:
        yield server


async def follow(client: httpx.AsyncClient, path: str) -> tuple[httpx.Response, list[Event]]:
    """The last answer and the events, as a browser's EventSource gets them."""
    headers = {**STREAM, "Origin": PAGE}
    parser = StreamParser()
    events: list[Event] = []
    async with client.stream("GET", path, headers=headers, follow_redirects=True) as answer:
        async for chunk in answer.aiter_bytes():
            events += [event_from_json(message.data) for message in parser.feed(chunk)]
            if events and events[-1].phase.is_final:
                break
    return answer, events


async def test_the_answer_leads_to_the_member_with_a_token_for_it(
    redirecting: FederationServer, alpha: FakeMember, beta: FakeMember
) -> None:
    answer = await redirecting.client.get(f"/build/{PATH}?build_only=true", headers=STREAM)

    where = urlsplit(answer.headers["Location"])
    query = parse_qs(where.query)
    claims = verify_build_token(CREDENTIAL, query["build_token"][0], audience=PATH)
    assert answer.status_code == 307
    assert f"{where.scheme}://{where.netloc}" in (alpha.url, beta.url)
    assert where.path == f"/build/{PATH}"
    assert query["build_only"] == ["true"]
    assert claims.request == f"v2/{PATH}"
    assert claims.client_address == "127.0.0.1"
    assert answer.headers["Cache-Control"] == "no-store", "no cache may keep a token"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_a_browser_that_follows_it_gets_the_members_stream(
    redirecting: FederationServer, alpha: FakeMember, beta: FakeMember
) -> None:
    first, events = await follow(redirecting.client, f"/build/{PATH}")
    second, _ = await follow(redirecting.client, f"/build/{PATH}")

    assert events[-1].phase == "ready", events
    assert first.headers["Access-Control-Allow-Origin"] == "*"
    assert first.url.host == second.url.host
    assert first.url.port == second.url.port, "a repository stays where it was"
    assert len(alpha.paths + beta.paths) == 2


async def test_a_real_agent_takes_who_was_sent_to_it() -> None:
    async with running_agent() as agent:
        port = urlsplit(agent.url).port
        assert port is not None
        member = FakeMember("alpha", port=port)  # stands for its name and address only
        async with running_federation([member], launch=REDIRECT) as federation:
            answer, events = await follow(federation.client, f"/build/{PATH}")

    assert str(answer.url).startswith(agent.url)
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE, "pages elsewhere must read it"
    assert events[-1].phase == "ready", events
    assert events[-1].fields["binder_request"] == f"v2/{PATH}"


async def test_a_decision_is_counted_as_a_launch_sent_there(redirecting: FederationServer) -> None:
    load = {"capacity": 10, "running": 0, "pending": 0, "build_slots": 2, "building": 0}
    for name in ("alpha", "beta"):
        report = {"member": name, "session": "s", "sequence": 0, "load": load}
        await redirecting.client.post(
            f"/api/members/{name}/report",
            json={**report, "inventory": "whole"},
            headers={"Authorization": f"Bearer {CREDENTIAL}"},
        )
    for number in range(3):
        await redirecting.client.get(f"/build/gh/owner/r{number}/{SHA}", headers=STREAM)

    members = (await redirecting.client.get("/api/members")).json()["members"]
    metrics = (await redirecting.client.get("/metrics")).text
    assert sum(member["load"]["pending"] for member in members) == 3
    assert "binderfed_decisions_total" in metrics


async def test_who_asks_where_to_go_is_told_and_can_come_again(
    redirecting: FederationServer, alpha: FakeMember, beta: FakeMember
) -> None:
    asked = {"Accept": "application/json", "Cookie": "binderfed-member=beta"}
    answer = await redirecting.client.get(f"/build/{PATH}", headers=asked)

    place = answer.json()
    where = urlsplit(place["url"])
    token = parse_qs(where.query)["build_token"][0]
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store", "no cache may keep a token"
    assert place["member"] == "beta"
    assert f"{where.scheme}://{where.netloc}" == beta.url
    assert verify_build_token(CREDENTIAL, token, audience=PATH).launch, "so that it can be resumed"
    assert "Set-Cookie" not in answer.headers, "it knows the member"


async def test_in_stream_mode_there_is_no_address_to_tell(federation: FederationServer) -> None:
    answer = await federation.client.get(f"/build/{PATH}", headers={"Accept": "application/json"})

    assert answer.status_code == 400
    assert "event stream" in answer.json()["message"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [("gh/owner", 400, "invalid_spec"), ("nosuch/owner/name/HEAD", 400, "invalid_spec")],
)
async def test_what_cannot_be_launched_is_refused(
    redirecting: FederationServer, path: str, status: int, code: str
) -> None:
    answer = await redirecting.client.get(f"/build/{path}")
    as_browser = await redirecting.client.get(
        f"/build/{path}", headers={**STREAM, "Sec-Fetch-Mode": "cors"}
    )

    assert answer.status_code == status
    assert answer.json()["code"] == code
    assert as_browser.status_code == 200
    assert code in as_browser.text, "an EventSource reads the body of a 200 only"


async def test_with_nobody_to_go_to_it_is_503() -> None:
    async with running_federation([], launch=REDIRECT) as federation:
        answer = await federation.client.get(f"/build/{PATH}")

    assert answer.status_code == 503
    assert answer.json()["code"] == "no_eligible_member"
    assert "no members yet" in answer.json()["message"]
    assert int(answer.headers["Retry-After"]) > 0


async def test_pages_may_connect_to_the_members_public_addresses(alpha: FakeMember) -> None:
    public = {"public_url": "https://alpha.example/agent"}
    async with running_federation([alpha], each_member=public, launch=REDIRECT) as federation:
        page = await federation.client.get(f"/v2/{PATH}")
        answer = await federation.client.get(f"/build/{PATH}", headers=STREAM)

    policy = page.headers["Content-Security-Policy"]
    assert "connect-src 'self' https://alpha.example;" in policy
    assert answer.headers["Location"].startswith(f"https://alpha.example/agent/build/{PATH}?")


async def test_in_stream_mode_pages_connect_to_the_federation_alone(
    federation: FederationServer,
) -> None:
    page = await federation.client.get(f"/v2/{PATH}")

    assert "connect-src 'self';" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("head", "stays"),
    [
        ("HTTP/1.1\r\nHost: a", True),
        ("HTTP/1.1\r\nHost: a\r\nConnection: close", False),
        ("HTTP/1.0\r\nConnection: keep-alive", True),
        ("HTTP/1.0", False),
    ],
)
async def test_the_answer_is_whole_for_every_kind_of_client(
    redirecting: FederationServer, head: str, stays: bool
) -> None:
    url = urlsplit(redirecting.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    async with asyncio.timeout(20):
        writer.write(f"GET /build/{PATH} {head}\r\n\r\n".encode())
        answer = (await reader.readuntil(b"\r\n\r\n")).decode()
        if stays:  # nothing but the head was sent, so the next answer begins with its own
            writer.write(f"GET /build/{PATH} {head}\r\n\r\n".encode())
            assert (await reader.readline()).split()[1] == b"307"
        else:
            assert await reader.read() == b"", "nothing follows the head"
    writer.close()

    headers = {name.lower() for name in (line.partition(":")[0] for line in answer.splitlines())}
    assert answer.splitlines()[0].split()[1] == "307"
    assert headers >= {"location", "date", "content-length", "cache-control"}
    assert {"x-content-type-options", "referrer-policy"} <= headers
