"""What dies under a launch: the build's pod, the agent, the hub, the registry.

The visitor's stream ends in `ready`, here or at the other member, or in a true sentence; and
nothing is left of what was begun.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
import pytest_asyncio

from binder_federation.binder.events import Event, Phase
from tests.cluster.federation.conftest import Site
from tests.support.eventually import eventually
from tests.support.helm_member import HelmMember
from tests.support.kubectl import objects
from tests.support.launch_checks import answers
from tests.support.running_up import StreamSeen

pytestmark = pytest.mark.asyncio(loop_scope="session")

SLOW = "RUN echo in-the-middle && sleep 8\n"
Harm = Callable[[Site, HelmMember], Awaitable[None]]


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def whole_again(site: Site) -> AsyncIterator[None]:
    """Before and after each test both members are up, and what a test made is gone."""
    await site.both_up()
    yield
    site.registry_gate.reopen()
    for member in site.members.values():
        await member.wait_until_it_answers()
    await site.both_up()


async def kill_build_pod(_site: Site, member: HelmMember) -> None:
    for name in await member.pod_names("build"):
        await member.delete_pod(name)


async def kill_agent(_site: Site, member: HelmMember) -> None:
    (name,) = await member.pod_names("agent")
    await member.delete_pod(name)


async def kill_hub(_site: Site, member: HelmMember) -> None:
    """The hub's process alone: the agent has to start another one, or say so."""
    await member.run("python", "-c", KILL_HUB)


async def shut_registry(site: Site, _member: HelmMember) -> None:
    site.registry_gate.shut()


KILL_HUB = """
import os, signal
from pathlib import Path
found = [
    int(entry.name)
    for entry in Path("/proc").iterdir()
    if entry.name.isdigit()
    and b"jupyterhub\\0-f" in (entry / "cmdline").read_bytes()
]
if not found:
    raise SystemExit("no hub")
for pid in found:
    os.kill(pid, signal.SIGKILL)
"""


def is_building(event: Event) -> bool:
    return event.phase is Phase.BUILDING and "in-the-middle" in event.message


def is_launching(event: Event) -> bool:
    return event.phase is Phase.LAUNCHING


@pytest.mark.parametrize(
    ("moment", "harm"),
    [
        (is_building, kill_build_pod),
        (is_building, kill_agent),
        (is_building, kill_hub),
        (is_building, shut_registry),
        (is_launching, kill_agent),
        (is_launching, kill_hub),
        (is_launching, shut_registry),
    ],
    ids=lambda each: each.__name__,
)
async def test_the_stream_ends_well_or_truly(
    site: Site, moment: Callable[[Event], bool], harm: Harm
) -> None:
    name = f"{moment.__name__}-{harm.__name__}".replace("_", "-")
    path = site.repository(name, more=SLOW)
    seen = StreamSeen()
    harmed = ""
    async with asyncio.timeout(420):
        async for event in site.federation.follow(path, seen):
            if not harmed and moment(event):
                harmed = str(event.fields["member"])
                await harm(site, site.members[harmed])

    assert harmed, f"the moment never came:\n{seen.text}"
    if seen.last.phase is Phase.READY:
        assert await answers(seen), "ready, and the server does not answer"
    else:
        assert seen.last.phase is Phase.FAILED
        assert seen.last.fields["fault"] == "member", seen.last
        assert seen.last.message.strip(), "it says nothing"
    site.registry_gate.reopen()
    for member in site.members.values():
        await nothing_is_left(member)


async def nothing_is_left(member: HelmMember) -> None:
    """No build that runs, no Secret of a build, no server without a user."""

    async def is_clean() -> bool:
        builds = await member.pods("build")
        active = [pod for pod in builds if pod["status"]["phase"] in ("Pending", "Running")]
        owned = [
            secret
            for secret in await objects(member.namespace, "secrets")
            for owner in secret["metadata"].get("ownerReferences", ())
            if owner["kind"] == "Pod"
        ]
        pods = {pod["metadata"]["uid"] for pod in builds}
        orphans = [
            secret
            for secret in owned
            if all(o["uid"] not in pods for o in secret["metadata"]["ownerReferences"])
        ]
        return not active and not orphans and await has_a_user_for_each_server(member)

    await eventually(is_clean, what=f"{member.name} to be clean", within_seconds=180)


async def has_a_user_for_each_server(member: HelmMember) -> bool:
    """Whether the agent counts as many sessions as there are servers' pods."""
    pods = [p for p in await member.pods("server") if "deletionTimestamp" not in p["metadata"]]
    try:
        async with httpx.AsyncClient(timeout=5) as client:
            health = (await client.get(f"{member.api_url}/health")).json()
    except httpx.TransportError:
        return False
    (quota,) = [check for check in health["checks"] if check["service"] == "Pod quota"]
    return bool(quota["user_pods"] == len(pods))
