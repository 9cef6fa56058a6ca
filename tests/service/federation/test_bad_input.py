"""Bad input gets a true sentence and the right status, and nothing leaks."""

import asyncio

import pytest

from tests.support.federation_server import FederationServer

STREAM = {"Accept": "text/event-stream"}
BAD_LINKS = {
    "nosuch/owner/repository/HEAD": 400,
    "gh": 400,
    "gh/": 400,
    "gh/owner": 400,
    "gh/owner/repository": 400,
    "gh/../repository/HEAD": 400,
    "gh/owner/%2e%2e/HEAD": 400,
    "gh/owner/repo%0asitory/HEAD": 400,
    "gh/owner/repository/..%2F..%2Fetc": 400,
    "git/file%3A%2F%2F%2Fetc%2Fpasswd/HEAD": 403,
    "git/http%3A%2F%2F127.0.0.1%3A1%2Fx/HEAD": 403,
    "git/http%3A%2F%2F169.254.169.254%2Flatest%2Fx/HEAD": 403,
    "git/--upload-pack%3Dtouch%20%2Ftmp%2Fx/HEAD": 400,
}


@pytest.mark.parametrize(("path", "status"), BAD_LINKS.items())
async def test_a_bad_link_is_refused_with_a_sentence(
    federation: FederationServer, path: str, status: int
) -> None:
    answer = await federation.client.get(f"/build/{path}")
    page = await federation.client.get(f"/v2/{path}")

    assert (answer.status_code, page.status_code) == (status, status), answer.text
    message = answer.json()["message"]
    assert message.strip().endswith((".", "?")), message
    assert "Traceback" not in message


async def test_a_clients_accept_header_decides_how_it_is_told(
    federation: FederationServer,
) -> None:
    as_json = await federation.client.get("/build/nosuch/x/y/z")
    as_stream = await federation.client.get("/build/nosuch/x/y/z", headers=STREAM)
    in_browser = await federation.client.get(
        "/build/nosuch/x/y/z", headers={**STREAM, "Sec-Fetch-Mode": "cors"}
    )
    as_page = await federation.client.get(
        f"/build/gh/o/r/{'1' * 40}", headers={"Accept": "text/html"}
    )

    assert as_json.status_code == 400
    assert as_json.json()["fault"] == "request"
    assert as_stream.status_code == 400
    assert as_stream.text.startswith("data: {")
    assert in_browser.status_code == 200, "an EventSource reads no other status"
    assert '"status_code": 400' in in_browser.text
    assert as_page.status_code == 400
    assert "event stream" in as_page.json()["message"]


async def test_a_url_of_a_megabyte_is_refused(federation: FederationServer) -> None:
    host, _, port = federation.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /build/gh/owner/repository/" + b"x" * 1_000_000 + b" HTTP/1.1\r\n")
    writer.write(b"Host: test\r\n\r\n")
    async with asyncio.timeout(20):
        answer = await reader.read(1000)
    writer.close()

    assert answer.split(b" ")[1] in (b"400", b"414"), answer
    assert b"too long" in answer.lower() or b"more than" in answer.lower(), answer
    assert (await federation.client.get("/health")).status_code == 200


async def test_other_methods_and_places_get_json(federation: FederationServer) -> None:
    nothing = await federation.client.get("/no/such/place")
    wrong = await federation.client.post("/api/members")
    preflight = await federation.client.options("/build/gh/o/r/HEAD")

    head = await federation.client.head(f"/build/gh/o/r/{'1' * 40}")
    bad_head = await federation.client.head("/build/nosuch/o/r/HEAD")

    assert (head.status_code, bad_head.status_code) == (200, 400)
    assert federation.context.launches.under_way == 0, "HEAD launches nothing"
    assert (nothing.status_code, nothing.json()["code"]) == (404, "http_404")
    assert wrong.status_code == 405
    assert "GET" in wrong.headers["Allow"]
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
