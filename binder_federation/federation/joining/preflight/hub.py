"""Do browsers reach the servers that this member starts? The test's session is asked, then ended.

A session's URL is on the hub's public address. Jupyter Server's REST API answers
`GET api/status` with its token, and ends at `POST api/shutdown`.
"""

import asyncio
import ssl

import httpx

from binder_federation.binder.joining import JoinCheck
from binder_federation.federation.joining.preflight.launch import Session

NAME = "Hub's public address"


async def check_hub(client: httpx.AsyncClient, session: Session, *, seconds: float) -> JoinCheck:
    """Whether the session answers to its token, and to nobody without."""
    try:
        async with asyncio.timeout(seconds):
            # Without the token first: the answer to the token brings a cookie that is as good.
            open_status = await _ask(client, session, "GET", "api/status", token="")
            status = await _ask(client, session, "GET", "api/status", token=session.token)
    except (TimeoutError, httpx.TimeoutException):
        return _unreachable(session, "does not answer in time")
    except httpx.InvalidURL:
        return _unreachable(session, "is no address")
    except httpx.HTTPError as error:
        return _unreachable(session, _say(error))
    return _judge(session, status, open_status)


async def end_session(client: httpx.AsyncClient, session: Session, *, seconds: float) -> bool:
    """Whether the session was told to end; else it is culled like any that nobody uses."""
    try:
        async with asyncio.timeout(seconds):
            return await _ask(client, session, "POST", "api/shutdown", token=session.token) < 300
    except (TimeoutError, httpx.HTTPError, httpx.InvalidURL):
        return False


def _judge(session: Session, status: int, open_status: int) -> JoinCheck:
    host = _host(session)
    if status != 200:
        return JoinCheck(
            name=NAME,
            ok=False,
            message=f"A session at {host} answers with status {status}.",
            advice="Check that the hub's public address leads to the hub's proxy, and that a "
            "proxy before it passes the header Authorization on.",
        )
    if open_status == 200:
        return JoinCheck(
            name=NAME,
            ok=False,
            message=f"A session at {host} answers without its token.",
            advice="Servers must not run with an empty token (c.ServerApp.token).",
        )
    if session.url.startswith("http://"):
        return JoinCheck(
            name=NAME,
            ok=True,
            message=f"Sessions are reached at {host}, without TLS.",
            advice="Pages under https:// may not show what is under http://: give the hub a "
            "certificate.",
        )
    return JoinCheck(name=NAME, ok=True, message=f"Sessions are reached at {host}.")


async def _ask(
    client: httpx.AsyncClient, session: Session, method: str, path: str, *, token: str
) -> int:
    """The status of the answer; its body is not read."""
    headers = {"Authorization": f"token {token}"} if token else {}
    client.cookies.clear()
    url = f"{session.url.rstrip('/')}/{path}"
    async with client.stream(method, url, headers=headers) as answer:
        return answer.status_code


def _unreachable(session: Session, trouble: str) -> JoinCheck:
    return JoinCheck(
        name=NAME,
        ok=False,
        message=f"A session was started, but {_host(session)} {trouble}.",
        advice="Visitors' browsers go there: open it to the internet, with a certificate for "
        "that name.",
    )


def _say(error: httpx.HTTPError) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "has no certificate that can be trusted"
        cause = cause.__cause__ or cause.__context__
    return "cannot be reached"


def _host(session: Session) -> str:
    """Without path and query: a session's own path is nobody else's."""
    try:
        url = httpx.URL(session.url)
    except httpx.InvalidURL:
        return "its address"
    return f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"
