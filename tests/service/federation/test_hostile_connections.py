"""Connections and heads that were made to do harm, at the running service."""

import asyncio
import contextlib
import socket
import time

import httpx
import psutil
import pytest

from binder_federation.runtime import serving
from tests.support.federation_server import FederationServer

ROUTES = [
    ("GET", "/"),
    ("GET", "/health"),
    ("GET", "/status"),
    ("GET", "/status.atom"),
    ("GET", "/v2/gh/owner/repository/HEAD"),
    ("GET", "/build/gh/owner/repository/HEAD"),
    ("GET", "/api/members"),
    ("POST", "/api/members/alpha/report"),
    ("POST", "/api/join"),
    ("GET", "/api/join/checks"),
    ("POST", "/api/join/leave"),
    ("POST", "/api/builds"),
    ("GET", "/api/admin/steering"),
    ("GET", "/api/admin/audit"),
    ("POST", "/api/admin/invitations"),
    ("GET", "/api/admin/explain/gh/owner/repository/HEAD"),
    ("GET", "/nowhere"),
]
HEADERS = {
    "a bearer of UTF-8": b"Authorization: Bearer caf\xc3\xa9",
    "a bearer of no text": b"Authorization: Bearer \xff\xfe",
    "a host of UTF-8": b"Host: caf\xc3\xa9.example",
    "a host of no text": b"Host: \xff",
    "a host with markup": b'Host: x"><script>',
    "a host with a path": b"Host: example.org/evil",
    "an origin of no text": b"Origin: https://\xff",
    "an event id of no text": b"Last-Event-ID: \xff",
    "a cookie of no text": b"Cookie: a=\xff",
    "an ETag of no text": b"If-Match: \xff",
    "a visitor of no text": b"X-Forwarded-For: \xff",
    "a trace of no text": b"traceparent: \xff",
}


async def ask(server: FederationServer, head: bytes) -> int:
    """The status of the answer to these bytes."""
    url = httpx.URL(server.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(head)
    async with asyncio.timeout(20):
        line = await reader.readline()
    await close(writer)
    return int(line.split()[1])


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
async def test_no_header_is_our_failure(federation: FederationServer, header: bytes) -> None:
    for method, path in ROUTES:
        lines = [f"{method} {path} HTTP/1.1".encode(), b"Content-Length: 0", header]
        if not header.startswith(b"Host"):
            lines.append(b"Host: 127.0.0.1")
        status = await ask(federation, b"\r\n".join([*lines, b"Connection: close", b"", b""]))
        assert status == 400, (method, path)


@pytest.mark.parametrize("size", [200_000, 2 << 20, 20 << 20])
async def test_who_is_refused_before_his_body_is_read_hears_it(
    federation: FederationServer, size: int
) -> None:
    """A client that is still sending gets the answer, and no reset, again and again."""
    for path, status in (("/api/join", 413), ("/api/builds", 413), ("/api/members/a/report", 403)):
        for _ in range(4):
            answer = await federation.client.post(
                path, content=b"x" * size, headers={"Authorization": "Bearer nobody's"}
            )
            assert answer.status_code in (status, 403), answer.text
            assert answer.json()["message"]


def rss() -> int:
    return int(psutil.Process().memory_info().rss)


async def test_half_sent_bodies_of_strangers_are_not_kept(federation: FederationServer) -> None:
    """60 of them held 900 MB."""
    url = httpx.URL(federation.url)
    before, writers = rss(), []
    for number in range(60):
        _, writer = await asyncio.open_connection(url.host, url.port)
        path = ("/api/members/alpha/report", "/api/join", "/api/admin/invitations")[number % 3]
        writer.write(
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 15000000\r\n\r\n".encode()
        )
        writer.write(b"x" * 1_000_000)
        writers.append(writer)
    assert (await federation.client.get("/health")).status_code == 200
    assert rss() - before < 120 << 20, "most of it is ours, who send it"
    await asyncio.gather(*map(close, writers))


async def test_a_head_that_does_not_come_is_waited_for_a_moment(
    federation: FederationServer,
) -> None:
    url = httpx.URL(federation.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    began_at = time.monotonic()
    async with asyncio.timeout(serving.HEAD_SECONDS + 20):
        assert await reader.read() == b""
    assert time.monotonic() - began_at > serving.HEAD_SECONDS / 2
    await close(writer)


async def test_the_oldest_that_wait_make_room(federation: FederationServer) -> None:
    """There are only so many connections, and whoever comes with a request is served."""
    assert serving.most_connections() >= 64
    url = httpx.URL(federation.url)
    idle = [socket.create_connection((url.host, url.port)) for _ in range(64)]
    assert (await federation.client.get("/health")).status_code == 200
    for each in idle:
        each.close()
    assert (await federation.client.get("/health")).status_code == 200
