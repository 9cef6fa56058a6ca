"""What a preflight finds at a member whose TLS, stream or clock is not as it should be."""

import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from aiohttp import web

from binder_federation.binder.joining import JoinCheck
from binder_federation.federation.joining.preflight.agent import check_agent
from binder_federation.federation.joining.preflight.certificate import judge_certificate
from binder_federation.federation.joining.preflight.hub import check_hub
from binder_federation.federation.joining.preflight.launch import Session
from binder_federation.federation.joining.preflight.stream import (
    Heard,
    hear_stream,
    judge_clock,
    judge_stream,
)
from tests.support.certificates import Authority
from tests.support.joining_member import JoiningMember
from tests.support.ports import free_port

MEMBER_APP = {"ok": True, "checks": []}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@asynccontextmanager
async def serving(app: web.Application, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The address of an app."""
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def agent_app() -> web.Application:
    async def tell(_request: web.Request) -> web.Response:
        return web.json_response(MEMBER_APP)

    app = web.Application()
    app.router.add_get("/{path:health|versions|user/x/api/status}", tell)
    return app


async def look(authority: Authority, tls: ssl.SSLContext) -> tuple[JoinCheck, JoinCheck]:
    """The checks of an agent behind `tls`, and of its certificate."""
    async with (
        serving(agent_app(), tls) as url,
        httpx.AsyncClient(verify=authority.trusting(), trust_env=False) as client,
    ):
        check, found = await check_agent(client, url, seconds=10)
        end = found.tls_not_after
        return check, judge_certificate(url, end, now=time.time(), warn_days=14)


async def test_a_certificate_that_is_good(authority: Authority) -> None:
    reachable, certificate = await look(authority, authority.server(days=90))
    assert (reachable.ok, certificate.ok, certificate.advice) == (True, True, "")


async def test_a_certificate_that_ends_soon_is_told_of(authority: Authority) -> None:
    reachable, certificate = await look(authority, authority.server(days=2.1))
    assert (reachable.ok, certificate.ok) == (True, True)
    assert "ends in 2 days" in certificate.message
    assert "renewed" in certificate.advice


@pytest.mark.parametrize("what", ["expired", "of another name", "of an unknown authority"])
async def test_other_certificates_are_refused(
    authority: Authority, tmp_path: Path, what: str
) -> None:
    tls = {
        "expired": lambda: authority.server(days=-1),
        "of another name": lambda: authority.server(days=90, host="other.example"),
        "of an unknown authority": lambda: Authority(tmp_path, "stranger").server(days=90),
    }[what]()
    reachable, _ = await look(authority, tls)
    assert reachable.ok is False, f"a certificate that is {what} was trusted"
    assert "certificate" in reachable.message
    assert "this very name" in reachable.advice


async def test_a_hub_without_trusted_tls_is_found(authority: Authority) -> None:
    async with (
        serving(agent_app(), authority.server(days=-1)) as url,
        httpx.AsyncClient(verify=authority.trusting(), trust_env=False) as client,
    ):
        check = await check_hub(client, Session(f"{url}/user/x/", "t"), seconds=10)
    assert check.ok is False
    assert "no certificate that can be trusted" in check.message


async def test_a_server_that_anybody_may_use_is_found() -> None:
    async with serving(agent_app()) as url, httpx.AsyncClient(trust_env=False) as client:
        check = await check_hub(client, Session(f"{url}/user/x/", "t"), seconds=10)
    assert check.ok is False
    assert "without its token" in check.message


async def test_nobody_there() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with httpx.AsyncClient(trust_env=False) as client:
        check, _ = await check_agent(client, url, seconds=10)
        heard = await hear_stream(client, url, seconds=10)
    assert check.ok is False
    assert "refuses connections" in check.message
    assert judge_stream(heard).ok is False


def holding_back(url: str) -> web.Application:
    """A proxy that passes an answer on when it has all of it."""

    async def pass_on(request: web.Request) -> web.Response:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"{url}{request.path}", timeout=30)
        return web.Response(body=answer.content, content_type="text/event-stream")

    app = web.Application()
    app.router.add_get("/{path:.*}", pass_on)
    return app


async def test_a_proxy_that_holds_answers_back_is_found() -> None:
    member = JoiningMember("uni-x")
    await member.start()
    try:
        async with (
            serving(holding_back(member.url)) as proxy,
            httpx.AsyncClient(trust_env=False) as client,
        ):
            directly = await hear_stream(client, member.url, seconds=20)
            through = await hear_stream(client, proxy, seconds=20)
    finally:
        await member.stop()
    assert judge_stream(directly).ok is True, f"events came at {directly.at}"
    held = judge_stream(through)
    assert held.ok is False, f"events came at {through.at}"
    assert "holds them back" in held.message


@pytest.mark.parametrize(
    ("off", "ok", "said"),
    [
        (0, True, "agree"),
        (10, True, "10 seconds ahead"),
        (-100, False, "100 seconds behind"),
    ],
)
def test_a_clock_is_compared(off: int, ok: bool, said: str) -> None:
    heard = Heard(200, date="Fri, 15 Jan 2027 08:00:00 GMT")
    check = judge_clock(heard, now=1_800_000_000 - off)
    assert (check.ok, said in check.message) == (ok, True), check.message


@pytest.mark.parametrize(("status", "said"), [(404, "status 404"), (502, "status 502")])
def test_a_stream_that_is_not_there(status: int, said: str) -> None:
    assert said in judge_stream(Heard(status)).message
    assert judge_clock(Heard(status), now=0).ok is None
