"""A browser that was sent to the agent by a redirect: it can read whatever it is answered."""

import time

import httpx
import pytest

from binder_federation.binder.build_tokens import BuildClaims, sign_build_token
from tests.support.agent_server import CREDENTIAL, PATH, AgentServer

SENT_ON = "null"
"""The origin that a browser gives after a redirect from one site to another."""
AS_PAGE = {"Origin": SENT_ON, "Accept": "text/event-stream"}


def url_with_token(path: str = PATH) -> str:
    token = sign_build_token(CREDENTIAL, BuildClaims(audience=path), now=time.time())
    return f"/build/{path}?build_token={token}"


def assert_readable(answer: httpx.Response) -> None:
    assert answer.headers.get("Access-Control-Allow-Origin") == SENT_ON, answer.status_code
    assert answer.headers.get("Access-Control-Allow-Credentials") == "true"


async def test_the_stream(agent: AgentServer) -> None:
    async with agent.client.stream("GET", url_with_token(), headers=AS_PAGE) as answer:
        assert answer.status_code == 200
        assert_readable(answer)


async def test_a_preflight_that_follows_the_redirect(agent: AgentServer) -> None:
    asked = {**AS_PAGE, "Access-Control-Request-Headers": "cache-control,last-event-id"}
    answer = await agent.client.options(url_with_token(), headers=asked)

    assert answer.status_code == 204
    assert_readable(answer)
    assert answer.headers["Access-Control-Allow-Headers"] == "cache-control,last-event-id"


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("GET", f"/build/{PATH}", 403),
        ("GET", f"/build/{PATH}?build_token=wrong", 403),
        ("HEAD", f"/build/{PATH}", 403),
        ("POST", f"/build/{PATH}", 405),
        ("GET", "/build", 404),
    ],
)
async def test_refusals(agent: AgentServer, method: str, url: str, status: int) -> None:
    answer = await agent.client.request(method, url, headers=AS_PAGE)

    assert answer.status_code == status
    assert_readable(answer)


async def test_head_begins_nothing(agent: AgentServer) -> None:
    answer = await agent.client.head(url_with_token(), headers=AS_PAGE)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert agent.context.sessions.usage().total == 0


async def test_a_header_that_was_meant_for_the_federation_does_no_harm(agent: AgentServer) -> None:
    """A client keeps it along a redirect, where both are behind one address."""
    headers = {**AS_PAGE, "Authorization": "Bearer somebody-else-s"}
    answer = await agent.client.head(url_with_token(), headers=headers)

    assert answer.status_code == 200
