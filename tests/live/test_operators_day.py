"""A day of a federation's operator, with real members: two replicas, Redis, the commands.

An institution is invited and joins, gets its share slowly, is drained while twenty people work
there, a repository is banned, a course has its quota, and at last the institution goes.
"""

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from binder_federation.binder.build_tokens import BuildClaims, sign_build_token
from binder_federation.binder.events import Phase, StreamParser, event_from_json
from tests.support.agent_process import AgentProcess, agent_process
from tests.support.eventually import eventually
from tests.support.federation_process import FederationProcess, federation_process
from tests.support.git_server import GitServer
from tests.support.launch_checks import answers
from tests.support.ports import free_port
from tests.support.redis_servers import running_server, server_binaries
from tests.support.running_up import StreamSeen, git_path

pytestmark = [pytest.mark.live, pytest.mark.asyncio(loop_scope="session")]

SESSIONS = 20
AT_ONCE = 3
EVERYWHERE_SECONDS = 2.0
AT_MEMBERS_SECONDS = 10.0
SLOW = 30.0
"""A machine that is busy elsewhere answers late; what holds is told by the audit's own times."""
ADMIN = "operator-of-the-day-token"
CREDENTIAL = "credential-of-uni-a-0123456789"
FILES = {"requirements.txt": "", "index.ipynb": json.dumps({"cells": [], "metadata": {},
         "nbformat": 4, "nbformat_minor": 5})}  # fmt: skip


@dataclass
class Place:
    """Two replicas, a member of the settings, and room for one more."""

    replicas: Sequence[FederationProcess]
    uni_a: str
    """The address of the settings' member."""
    git: GitServer
    folder: Path
    agent_settings: dict[str, Any]

    async def command(self, *arguments: str, status: int = 0) -> str:
        """What `binderfed …` prints for the operator, at the second replica."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "binder_federation.federation.cli.main", *arguments,
            "--federation", self.replicas[1].url,
            env={**os.environ, "BINDERFED_ADMIN_TOKEN": ADMIN, "COLUMNS": "200"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(120):
            told = (await process.communicate())[0].decode()
        assert process.returncode == status, f"binderfed {' '.join(arguments)}:\n{told}"
        return told

    async def everywhere(self, what: str, name: str, **wanted: Any) -> None:
        """Until all replicas say this of a member."""
        for replica in self.replicas:

            async def is_so(replica: FederationProcess = replica) -> bool:
                member = (await replica.members()).get(name, {})
                return all(member.get(key) == value for key, value in wanted.items())

            await eventually(is_so, what=f"{what} at {replica.url}", within_seconds=SLOW)

    def repository(self, name: str) -> str:
        self.git.create(name, FILES)
        return git_path(f"{self.git.url}/{name}")

    async def launches(self, path: str, count: int) -> list[StreamSeen]:
        """So many visitors, a few at a time, by turns at both replicas."""
        turn = asyncio.Semaphore(AT_ONCE)

        async def visit(number: int) -> StreamSeen:
            async with turn:
                return await self.replicas[number % 2].launch(path, seconds=240)

        return await asyncio.gather(*(visit(number) for number in range(count)))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    folder = tmp_path_factory.mktemp("day")
    binary = next(filter(None, server_binaries().values()))
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(running_server(binary))
        git = await stack.enter_async_context(GitServer(folder / "git"))
        providers = {"trusted_prefixes": [f"{git.url}/"]}
        git.create("preflight", FILES)
        ports = [free_port(), free_port()]
        agent_settings: dict[str, Any] = {
            "providers": providers,
            "report_every_seconds": 1.0,
            "quota": {"sessions": 60, "sessions_per_repository": 60},
        }
        one = await stack.enter_async_context(
            agent_process(
                folder / "uni-a", "uni-a", credential=CREDENTIAL,
                federation_url=f"http://127.0.0.1:{ports[0]}", **agent_settings,
            )
        )  # fmt: skip
        replicas = [
            await stack.enter_async_context(
                federation_process(
                    folder / f"replica-{number}",
                    host="127.0.0.1",
                    port=port,
                    members=[{"name": "uni-a", "url": one.url, "credential": CREDENTIAL}],
                    providers=providers,
                    redis={"url": redis.url},
                    admin={"token": ADMIN},
                    joining={
                        "allow_private_addresses": True,
                        "key": "key-of-this-days-federation-0123",
                        "test_repository": git_path(f"{git.url}/preflight"),
                        "first_pause_seconds": 1.0,
                    },
                )
            )
            for number, port in enumerate(ports)
        ]
        for replica in replicas:
            await replica.wait_until("up", "uni-a")
        yield Place(replicas, one.url, git, folder, agent_settings)


async def test_the_operators_day(place: Place) -> None:
    first, second = place.replicas
    invited = await place.command("invite", "--name", "uni-x", "--weight", "10", "--expires", "7d")
    token = re.search(r"bfi_\S+", invited)
    assert token, f"no token was printed:\n{invited}"

    async with agent_process(
        place.folder / "uni-x", "uni-x",
        environment={"BINDERFED_AGENT_JOIN__TOKEN": token[0]},
        join={"url": first.url}, **place.agent_settings,
    ) as agent:  # fmt: skip
        await joins(place, agent, token[0])
        await grows(place)
        sessions = await drains(place)
        await bans(place)
        await holds_an_event(place)
        await goes(place, agent, sessions)

    told = await place.command("audit", "--json")
    actions = {entry["action"] for entry in json.loads(told)}
    wanted = {"invite", "join", "ramp", "drain", "undrain", "ban", "unban", "quota", "revoke"}
    assert wanted <= actions, f"the audit does not tell of {sorted(wanted - actions)}"
    assert token[0].partition(".")[2] not in told
    assert token[0].partition(".")[2] not in first.log + second.log + agent.log


async def joins(place: Place, agent: AgentProcess, token: str) -> None:
    """By one token: checked, then slowly; a second use of the token is refused."""
    for replica in place.replicas:

        async def is_in(replica: FederationProcess = replica) -> bool:
            member = (await replica.members()).get("uni-x", {})
            return member.get("state") in ("recovering", "up")

        await eventually(is_in, what=f"uni-x to be in at {replica.url}", within_seconds=300)
    wish = {"token": token, "agent_id": "somebody-else-0123456789", "url": agent.url,
            "version": "1", "protocol": 1, "stack": "local"}  # fmt: skip
    async with httpx.AsyncClient(timeout=30) as client:
        again = await client.post(f"{place.replicas[0].url}/api/join", json=wish)
    assert again.status_code in (403, 409), again.text


async def grows(place: Place) -> None:
    """By a ramp, to twice its weight."""
    await place.command("ramp", "uni-x", "--to", "20", "--over", "3s")
    await place.everywhere("the ramp's end", "uni-x", weight=20.0)


async def drains(place: Place) -> list[StreamSeen]:
    """While twenty people work there: none is sent away, nobody is added."""
    path = place.repository("course")
    await place.command("drain", "uni-a", "--reason", "twenty are wanted at uni-x")
    await place.everywhere("uni-a to drain", "uni-a", state="draining")
    sessions = await place.launches(path, SESSIONS)
    assert [one.last.phase for one in sessions] == [Phase.READY] * SESSIONS, sessions[-1].text
    assert {one.last.fields["member"] for one in sessions} == {"uni-x"}

    await place.command("undrain", "uni-a")
    await place.command("drain", "uni-x", "--reason", "new disks", "--for", "2h")
    await place.everywhere("uni-x to drain", "uni-x", state="draining")
    later = await place.launches(path, 4)
    assert {one.last.fields["member"] for one in later} == {"uni-a"}, "one was added"
    assert all([await answers(one) for one in sessions]), "a session died"
    (load,) = [
        member["load"] for name, member in (await place.replicas[0].members()).items()
        if name == "uni-x"
    ]  # fmt: skip
    assert load["running"] + load["pending"] == SESSIONS
    await place.command("undrain", "uni-x")
    sys.stdout.write(f"drain: {SESSIONS} sessions lived on, none was added\n")
    return sessions


async def bans(place: Place) -> None:
    """In force at both replicas in two seconds, at the members in ten."""
    path = place.repository("mining")
    pattern = f"^git/{re.escape(place.git.url)}/mining(/.*)?$"
    await place.command("ban", "spec", pattern, "--reason", "mining", "--for", "1h")
    began_at = time.monotonic()

    for replica in place.replicas:

        async def is_banned(replica: FederationProcess = replica) -> bool:
            return await refusal(replica.url, path) == "spec_banned"

        await eventually(is_banned, what=f"the ban at {replica.url}", within_seconds=SLOW)

    async def has_heard() -> bool:
        claims = BuildClaims(audience=path)
        token = sign_build_token(CREDENTIAL, claims, now=time.time())
        return await refusal(place.uni_a, path, f"build_token={token}") == "spec_banned"

    await eventually(has_heard, what="the ban to reach uni-a", within_seconds=SLOW)
    seconds = time.monotonic() - began_at
    sys.stdout.write(f"ban: at both replicas and the member after {seconds:.1f} s\n")
    assert seconds <= AT_MEMBERS_SECONDS, f"the ban took {seconds:.1f} s to reach the member"
    bans = json.loads(await place.command("steering", "--json"))["bans"]
    await place.command("unban", next(iter(bans)) if isinstance(bans, dict) else bans[0]["id"])

    async def is_free() -> bool:
        return await refusal(place.replicas[0].url, path) == ""

    await eventually(is_free, what="the ban to end", within_seconds=SLOW)


async def holds_an_event(place: Place) -> None:
    """A course may have two sessions and no more."""
    path = place.repository("event")
    pattern = f"^git/{re.escape(place.git.url)}/event$"
    await place.command("quota", "event", pattern, "--sessions", "2", "--for", "1h")
    await asyncio.sleep(EVERYWHERE_SECONDS)  # what is tested: both know by then
    # One after the other: what reaches two replicas in the same moment may go past a quota.
    seen = [await place.replicas[number % 2].launch(path, seconds=240) for number in range(4)]
    ready = [one for one in seen if one.last.phase is Phase.READY]
    refused = [one for one in seen if one.last.phase is not Phase.READY]
    assert len(ready) == 2, [one.last for one in seen]
    assert {one.last.fields["code"] for one in refused} == {"repo_quota"}


async def goes(place: Place, agent: AgentProcess, sessions: list[StreamSeen]) -> None:
    """Revoked: unknown everywhere, its reports refused, the sessions there untouched."""
    await place.command("revoke", "uni-x", "--reason", "it left the project", "--yes")
    for replica in place.replicas:

        async def is_gone(replica: FederationProcess = replica) -> bool:
            return "uni-x" not in await replica.members()

        await eventually(is_gone, what=f"uni-x to be gone at {replica.url}", within_seconds=SLOW)

    async def is_refused() -> bool:
        return "reports_not_taken" in agent.log

    await eventually(is_refused, what="uni-x's reports to be refused", within_seconds=SLOW)
    assert all([await answers(one) for one in sessions[:3]]), "a session died"
    one = await place.replicas[1].launch(place.repository("after"), seconds=240)
    assert (one.last.phase, one.last.fields["member"]) == (Phase.READY, "uni-a")


async def refusal(url: str, path: str, query: str = "") -> str:
    """The code with which a build is refused, by its status or in its stream; empty if it ends
    well."""
    parser = StreamParser()
    async with (
        asyncio.timeout(180),
        httpx.AsyncClient(timeout=60) as client,
        client.stream("GET", f"{url}/build/{path}?build_only=true&{query}") as answer,
    ):
        if answer.status_code != 200:
            return str(json.loads(await answer.aread())["code"])
        async for chunk in answer.aiter_bytes():
            for message in parser.feed(chunk):
                event = event_from_json(message.data)
                if event.phase.is_final:
                    return str(event.fields.get("code", ""))
    return "the stream ended"
