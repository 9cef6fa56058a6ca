"""The imitation of BinderHub does what BinderHub does, where that is not what an agent does.

Its source is the authority (binderhub/builder.py, base.py, quota.py, health.py); where tests of
the federation lean on a difference, it is held here.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from binder_federation.binder.build_tokens import BuildClaims, sign_build_token
from binder_federation.binder.events import Event, Phase, StreamParser, event_from_json
from tests.support.eventually import eventually
from tests.support.fake_binderhub import FakeBinderHub

PATH = f"gh/owner/repository/{'1' * 40}"
STREAM = {"Accept": "text/event-stream"}


@pytest.fixture
async def hub() -> AsyncIterator[FakeBinderHub]:
    member = FakeBinderHub("hub", hold_seconds=0.0)
    await member.start()
    yield member
    await member.stop()


@pytest.fixture
async def client(hub: FakeBinderHub) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=hub.url, timeout=20) as opened:
        yield opened


async def follow(
    client: httpx.AsyncClient, query: str = "", headers: dict[str, str] = STREAM
) -> tuple[int, list[Event], StreamParser]:
    """Status, events and comments of a stream, up to its end."""
    parser = StreamParser()
    events: list[Event] = []
    async with client.stream("GET", f"/build/{PATH}{query}", headers=headers) as answer:
        async for chunk in answer.aiter_bytes():
            events += [event_from_json(message.data) for message in parser.feed(chunk)]
    return answer.status_code, events, parser


async def test_the_phases_of_a_first_and_a_second_launch(client: httpx.AsyncClient) -> None:
    first = (await follow(client))[1]
    second = (await follow(client))[1]

    assert list(dict.fromkeys(event.phase.value for event in first)) == [
        *("waiting", "fetching", "building", "pushing", "built", "launching", "ready"),
    ]
    assert second[0].message == "Found built image, launching...\n"
    assert second[0].fields["imageName"]
    assert [event.phase for event in second[1:]] == [Phase.LAUNCHING] * 3 + [Phase.READY]


async def test_every_stream_is_a_launch_and_the_build_is_one(
    hub: FakeBinderHub, client: httpx.AsyncClient
) -> None:
    await asyncio.gather(*(follow(client) for _ in range(3)))

    assert hub.builds[PATH] == 1
    assert hub.servers[PATH] == 3


@pytest.mark.parametrize(
    ("query", "headers", "status", "code", "said"),
    [
        ("", {"Accept": "text/html"}, 400, 400, "only serves event streams"),
        ("?build_only=true", STREAM, 200, 400, "Building but not launching is not permitted"),
        ("?build_token=TOKEN", STREAM, 200, 403, "Invalid build token"),
        ("", {**STREAM, "X-Forwarded-For": "203.0.113.9"}, 200, 403, "are not allowed"),
    ],
)
async def test_errors_are_events_that_name_a_status(
    hub: FakeBinderHub,
    client: httpx.AsyncClient,
    query: str,
    headers: dict[str, str],
    status: int,
    code: int,
    said: str,
) -> None:
    hub.banned = {"203.0.113.9"}
    ours = sign_build_token("k" * 40, BuildClaims(audience=PATH), now=0.0)

    answered, events, _ = await follow(client, query.replace("TOKEN", ours), headers)

    assert answered == status
    assert [event.fields["status_code"] for event in events] == [code]
    assert said in events[0].message


async def test_a_rate_limit_is_of_an_address(hub: FakeBinderHub, client: httpx.AsyncClient) -> None:
    hub.rate_limit = 1
    last = []
    for address in ("203.0.113.1", "203.0.113.1", "203.0.113.2"):
        _, events, _ = await follow(client, headers={**STREAM, "X-Forwarded-For": address})
        last.append(events[-1])

    assert [event.phase for event in last] == [Phase.READY, Phase.FAILED, Phase.READY]
    assert last[1].fields["status_code"] == 429


async def test_a_full_one_says_so_without_a_status(
    hub: FakeBinderHub, client: httpx.AsyncClient
) -> None:
    hub.quota = 0

    events = (await follow(client))[1]

    assert [event.phase for event in events] == [Phase.FAILED]
    assert events[0].message == "Too many users on this BinderHub! Try again soon.\n"
    assert "status_code" not in events[0].fields


@pytest.mark.parametrize("method", ["OPTIONS", "HEAD", "POST", "DELETE"])
async def test_build_knows_get_alone(client: httpx.AsyncClient, method: str) -> None:
    assert (await client.request(method, f"/build/{PATH}")).status_code == 405


async def test_keepalives_and_the_time_after_ready(
    hub: FakeBinderHub, client: httpx.AsyncClient
) -> None:
    hub.keepalive_seconds, hub.hold_seconds = 0.05, 0.4

    _, events, parser = await follow(client)

    assert events[-1].phase is Phase.READY
    assert parser.comments >= 2, "it says :keepalive, and holds the stream when all is said"


async def test_health_counts_its_pods_now_and_then_and_503_is_json(
    hub: FakeBinderHub, client: httpx.AsyncClient
) -> None:
    hub.quota, hub.pods_cache_seconds = 1, 60.0

    async def ask() -> tuple[int, dict[str, Any]]:
        answer = await client.get("/health")
        return answer.status_code, {each.pop("service"): each for each in answer.json()["checks"]}

    status, checks = await ask()
    assert status == 200
    assert checks["Pod quota"]["total_pods"] == 0
    hub.sessions = 5
    assert (await ask())[1]["Pod quota"]["total_pods"] == 0, "counted a moment ago"
    hub.pods_cache_seconds, hub.is_well = 0.0, False
    status, checks = await ask()
    assert status == 503
    assert checks["JupyterHub API"]["ok"] is False
    assert checks["Pod quota"] == {
        "_ignore_failure": True,
        "user_pods": 5,
        "build_pods": 0,
        "total_pods": 5,
        "quota": 1,
        "ok": False,
    }
    assert (await client.head("/health")).status_code == 503
    assert set((await client.get("/versions")).json()) == {"builder", "binderhub"}


async def test_a_launch_ends_with_its_connection_and_its_build_does_not(
    hub: FakeBinderHub, client: httpx.AsyncClient
) -> None:
    hub.hold(Phase.BUILT)
    async with client.stream("GET", f"/build/{PATH}", headers=STREAM):
        await hub.wait_until_held()
    hub.go_on()

    async def is_built() -> bool:
        return PATH in hub.images

    await eventually(is_built, what="the build to end without anybody")
    assert not hub.servers[PATH]
