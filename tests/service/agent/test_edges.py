"""What is refused, and how; and what the agent answers about itself."""

import asyncio
import time
from urllib.parse import quote

import httpx
import pytest

from binder_federation import __version__
from binder_federation.binder.build_tokens import BuildClaims, sign_build_token
from binder_federation.binder.messages import CheckRecord
from binder_federation.binder.providers import BUILT_IN
from tests.support.agent_server import CREDENTIAL, PATH, SHA, AgentServer, running_agent
from tests.support.provider_displays import check_displays

STREAM = {"Accept": "text/event-stream"}


def token(audience: str, *, key: str = CREDENTIAL, age_seconds: float = 0) -> str:
    return sign_build_token(key, BuildClaims(audience), now=time.time() - age_seconds)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        token("gh/owner/other/HEAD"),
        token(PATH, key="another-key-that-is-at-least-32-bytes-long"),
        token(PATH, age_seconds=1000),
    ],
)
async def test_without_the_right_token_nothing_begins(agent: AgentServer, given: str) -> None:
    for headers, query in (
        ({**STREAM, "Authorization": f"Bearer {given}".strip()}, ""),
        (STREAM, f"?build_token={given}"),
    ):
        answer = await agent.client.get(f"/build/{PATH}{query}", headers=headers)
        assert answer.status_code == 403
        assert answer.json()["code"] == "not_authorized"
    assert not agent.stack.builder.plans


async def test_the_token_may_be_in_the_query(agent: AgentServer) -> None:
    seen = await agent.launch(query=f"?build_token={token(PATH)}", headers=STREAM)
    assert seen.phases[-1] == "ready"


async def test_a_token_is_for_the_path_as_it_was_written(agent: AgentServer) -> None:
    path = f"git/{quote('https://git.invalid/a b', safe='')}/{SHA}"
    seen = await agent.launch(path)
    assert seen.status == 200


async def test_an_open_agent_needs_no_token_but_refuses_a_wrong_one() -> None:
    async with running_agent(open_builds=True) as agent:
        seen = await agent.launch(headers=STREAM)
        assert seen.phases[-1] == "ready"
        assert seen.last.fields["binder_launch_host"] == f"{agent.url}/"
        assert seen.last.fields["binder_request"] == f"v2/{PATH}"
        wrong = await agent.client.get(f"/build/{PATH}?build_token=nonsense", headers=STREAM)
        assert wrong.status_code == 403


@pytest.mark.parametrize("accept", ["application/json", "text/html", ""])
async def test_who_does_not_take_a_stream_gets_400(agent: AgentServer, accept: str) -> None:
    answer = await agent.client.get(f"/build/{PATH}", headers={"Accept": accept})
    assert answer.status_code == 400
    assert "text/event-stream" in answer.json()["advice"]


async def test_anything_may_be_accepted_with_stars(agent: AgentServer) -> None:
    seen = await agent.launch(headers={"Accept": "*/*", "Authorization": f"Bearer {token(PATH)}"})
    assert seen.phases[-1] == "ready"


@pytest.mark.parametrize(
    ("path", "status", "fault"),
    [
        ("gh/owner", 400, "request"),
        ("gh/owner/repository", 400, "request"),
        ("nonesuch/owner/repository/HEAD", 400, "request"),
        ("gh", 400, "request"),
        ("gh/owner/%2E%2E/HEAD", 400, "request"),
        (f"gh/owner/repository/{'x' * 3000}", 400, "request"),
        (f"git/{quote('file:///etc', safe='')}/{SHA}", 403, "request"),
        (f"git/{quote('http://127.0.0.1:1/x', safe='')}/{SHA}", 403, "request"),
    ],
)
async def test_bad_input_is_an_event_with_its_status(
    agent: AgentServer, path: str, status: int, fault: str
) -> None:
    raw = httpx.URL(agent.url).copy_with(raw_path=f"/build/{path}".encode())
    audience = path
    answer_phases = []
    async with agent.client.stream(
        "GET", raw, headers={**STREAM, "Authorization": f"Bearer {token(audience)}"}
    ) as answer:
        assert answer.status_code == 200
        async for line in answer.aiter_lines():
            if line.startswith("data:"):
                answer_phases.append(line)
                break
    (event,) = answer_phases
    assert '"phase": "failed"' in event
    assert f'"status_code": {status}' in event
    assert f'"fault": "{fault}"' in event
    assert not agent.stack.builder.plans
    assert agent.context.sessions.usage().total == 0


async def test_an_enormous_address_gets_a_clear_answer(agent: AgentServer) -> None:
    url = httpx.URL(agent.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    async with asyncio.timeout(30):
        writer.write(f"GET /build/gh/owner/{'x' * 1_000_000}/HEAD HTTP/1.1\r\n".encode())
        writer.write(b"Host: x\r\nAccept: text/event-stream\r\n\r\n")
        status_line = await reader.readline()
    writer.close()
    assert status_line.split()[1] in (b"400", b"414")
    assert (await agent.client.get("/versions")).status_code == 200


async def test_other_methods_and_addresses(agent: AgentServer) -> None:
    for method in ("POST", "PUT"):
        answer = await agent.client.request(method, f"/build/{PATH}")
        assert answer.status_code == 405, method
        assert "GET" in answer.headers["Allow"]
    for path in ("/", "/v2/gh/o/r/HEAD", "/nonesuch", "/build"):
        missing = await agent.client.get(path)
        assert missing.status_code == 404
        assert missing.json()["message"]


async def test_health_is_binderhubs(agent: AgentServer) -> None:
    answer = await agent.client.get("/health")
    assert answer.status_code == 200
    body = answer.json()
    assert body["ok"] is True
    by_name = {check["service"]: check for check in body["checks"]}
    assert by_name["JupyterHub API"]["ok"] is True
    quota = by_name["Pod quota"]
    assert quota["_ignore_failure"] is True
    assert (quota["total_pods"], quota["quota"]) == (0, 50)
    head = await agent.client.head("/health")
    assert (head.status_code, head.content) == (200, b"")


async def test_a_failing_part_makes_it_503_but_full_does_not() -> None:
    async with running_agent(quota={"sessions": 0}) as full:
        assert (await full.client.get("/health")).status_code == 200
    async with running_agent() as ill:
        ill.stack.check_results = [CheckRecord(service="Disk", ok=False, message="full")]
        answer = await ill.client.get("/health")
        assert answer.status_code == 503
        assert {"service": "Disk", "ok": False, "message": "full"} in answer.json()["checks"]


async def test_versions_providers_and_metrics(agent: AgentServer) -> None:
    versions = (await agent.client.get("/versions")).json()
    assert versions == {
        "builder": "local",
        "binderhub": __version__,
        "binder-federation": __version__,
        "protocol": 1,
    }
    providers = (await agent.client.get("/api/repoproviders")).json()
    check_displays(providers)
    assert [provider["id"] for provider in providers] == list(BUILT_IN)
    await agent.launch()
    text = (await agent.client.get("/metrics")).text
    assert 'binderfed_agent_launches_total{outcome="success"} 1.0' in text
    assert 'binderfed_agent_builds_total{outcome="success"} 1.0' in text
    assert "owner" not in text
