"""A hundred launches against three warm servers, and the agent is killed among them.

The hub survives, as it does on Docker and Kubernetes. What the killed agent was about to give
away is known to the hub or to nobody, and the next agent removes what nobody can account for.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from binder_federation.binder.build_tokens import BuildClaims, sign_build_token
from binder_federation.binder.events import Phase, StreamParser, event_from_json
from binder_federation.cluster_agent.hub_models import HANDED_OUT_GROUP
from tests.support.agent_server import CREDENTIAL, PATH
from tests.support.eventually import eventually
from tests.support.fake_hub import FakeHub
from tests.support.warm_agents import pool_of

ROOT = Path(__file__).parents[3]
LAUNCHES = 100
AT_ONCE = 4
KILLED_AFTER = 40
SETTINGS = {
    "name": "alpha",
    "credential": CREDENTIAL,
    "port": 0,
    "quota": {"sessions": 300, "sessions_per_repository": 300},
    "launch": {"concurrent": 12, "retries": 2, "retry_first_seconds": 0.01},
    "warm": pool_of(3, share=0.5),
}


@dataclass
class Told:
    """What visitors were told."""

    users: list[str] = field(default_factory=list)
    warm: int = 0
    broken: int = 0
    """Launches that the crash broke off."""


@asynccontextmanager
async def agent_process(tmp_path: Path, hub: FakeHub) -> AsyncIterator[tuple[Any, str]]:
    """The process and its URL; it is killed at the end if it still runs."""
    ready_file = tmp_path / f"ready-{time.monotonic_ns()}.json"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.run_agent_on_hub",
        str(ready_file),
        hub.url,
        json.dumps(SETTINGS),
        cwd=ROOT,
        stderr=asyncio.subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if "BINDERFED" not in name},
    )

    async def is_ready() -> bool:
        return ready_file.exists() or process.returncode is not None

    try:
        await eventually(is_ready, what="the agent to be ready", within_seconds=20)
        yield process, json.loads(ready_file.read_text())["url"]
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def launch(client: httpx.AsyncClient, url: str, told: Told) -> None:
    """One visitor; what the crash breaks off is counted."""
    claims = BuildClaims(audience=PATH)
    token = sign_build_token(CREDENTIAL, claims, now=time.time())
    headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {token}"}
    parser = StreamParser()
    try:
        async with client.stream("GET", f"{url}/build/{PATH}", headers=headers) as answer:
            async for chunk in answer.aiter_bytes():
                for message in parser.feed(chunk):
                    event = event_from_json(message.data)
                    if event.phase is Phase.READY:
                        told.users.append(event.fields["url"].rstrip("/").rsplit("/", 1)[1])
                        told.warm += event.fields.get("warm") is True
                        return
                    assert event.phase is not Phase.FAILED, event.message
    except httpx.HTTPError:
        pass
    told.broken += 1


async def launch_many(url: str, count: int, told: Told, *, stop: asyncio.Event) -> None:
    """So many launches, a few at a time; none is begun after `stop`."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with limit:
            if not stop.is_set():
                await launch(client, url, told)

    async with httpx.AsyncClient(timeout=20) as client, asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(one())


async def test_no_server_is_given_twice_and_none_is_left_over(tmp_path: Path) -> None:
    told, crashed = Told(), asyncio.Event()
    async with FakeHub() as hub:
        async with agent_process(tmp_path, hub) as (process, url), asyncio.TaskGroup() as group:
            group.create_task(launch_many(url, LAUNCHES, told, stop=crashed))

            async def enough_are_told() -> bool:
                return len(told.users) >= KILLED_AFTER

            await eventually(enough_are_told, what=f"{KILLED_AFTER} launches")
            crashed.set()
            process.kill()
        survivors = set(hub.users)
        async with agent_process(tmp_path, hub) as (process, url):
            rest = LAUNCHES - len(told.users)
            await launch_many(url, rest, told, stop=asyncio.Event())
            given = set(hub.groups[HANDED_OUT_GROUP])
            waiting = {
                name
                for name, server in hub.servers.items()
                if server.options.get("warm") and name not in given
            }
            assert not waiting & survivors, "what the killed agent left waiting is removed"
            process.send_signal(signal.SIGTERM)
            await process.wait()
        assert len(told.users) == LAUNCHES
        assert len(set(told.users)) == LAUNCHES, "no server was given twice"
        assert set(told.users) <= hub.users.keys(), "every visitor has a server"
        assert told.warm >= LAUNCHES // 10, "the pool was used"
        # A user whose server the killed agent had not asked for yet has none: the hub's culler
        # removes it.
        left = {name for name in hub.users.keys() - set(told.users) if hub.users[name]}
        assert not {name for name in left if is_waiting(hub, name)}, (
            "no warm server is left when the agent has stopped"
        )
        assert len(left) <= told.broken, "what else is left was on its way to a visitor"


def is_waiting(hub: FakeHub, name: str) -> bool:
    """Whether the user's server is warm and was given to nobody."""
    server = hub.servers.get(name)
    is_warm = server is not None and server.options.get("warm") is True
    return is_warm and name not in hub.groups[HANDED_OUT_GROUP]
