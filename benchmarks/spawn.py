"""What a member's agent adds to a launch whose image is on the node.

In turns, on one cluster and one hub: a launch through the agent, and the same server asked of the
hub's REST API by nobody but us. And what the agent itself uses of a core for a hundred launches at
once, on a hub and a stack that cost it nothing.

The first needs KUBECONFIG and `TESTBED_BASE_IMAGE`, an image with JupyterLab on the node; without
them it says so and is left out.
"""

import asyncio
import json
import os
import secrets
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from aiohttp import web
from rich.console import Console

from benchmarks.rounds import Pairs
from benchmarks.rows import Row
from benchmarks.servers import cores, cpu_seconds, find_port, python_server
from benchmarks.sizes import Sizes
from binder_federation.binder.spec import LaunchSpec
from binder_federation.cluster_agent.app import create_app
from binder_federation.cluster_agent.serve import make_runner
from binder_federation.cluster_agent.stacks.kubernetes.stack import KubernetesStack
from tests.support.fake_hub import FakeHub
from tests.support.kubectl import kubectl
from tests.support.kubernetes_stack import namespace, stack_settings
from tests.support.local_stack import HubClient

COMMIT = "1234567890abcdef1234567890abcdef12345678"
SPEC = LaunchSpec("gh", "owner/repository", COMMIT)
STREAMS = 100
LAUNCH_SECONDS = 120.0
NOTICE = "spawn: without KUBECONFIG and TESTBED_BASE_IMAGE no launch on a cluster is measured."


def run(sizes: Sizes) -> list[Row]:
    """Both parts, the first if there is a cluster."""
    rows = []
    image = os.environ.get("TESTBED_BASE_IMAGE", "")
    if os.environ.get("KUBECONFIG") and image:
        rows += asyncio.run(_on_cluster(sizes.rounds, image))
    else:
        Console(stderr=True).print(NOTICE, highlight=False)
    return [*rows, _agents_cpu(sizes.rounds)]


async def _on_cluster(rounds: int, image: str) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        async with namespace("bf-bench") as name, _member(Path(folder), name, image) as member:
            await _through_agent(member)  # the first of all is slower, whoever does it
            await _clear(member, name)
            pairs = [await _pair(member, name, image, number) for number in range(rounds)]
    measured = Pairs(pairs)
    added = median(ours - hubs for ours, hubs in pairs)
    return [
        measured.row("launch, image on the node", lambda seconds: seconds, "s", at_most=1.2),
        Row("the agent's own share of it", added, "s"),
    ]


async def _pair(member: "_Member", name: str, image: str, number: int) -> tuple[float, float]:
    """One of each; the other one first each time, as the node is still busy with the last."""
    measured = {"agent": 0.0, "hub": 0.0}
    for way in sorted(measured, reverse=bool(number % 2)):
        ours = way == "agent"
        measured[way] = await (_through_agent(member) if ours else _through_hub(member, image))
        await _clear(member, name)
    return measured["agent"], measured["hub"]


class _Member:
    """An agent on the cluster, and its hub."""

    def __init__(self, *, url: str, client: httpx.AsyncClient, stack: KubernetesStack) -> None:
        self.url = url
        self.client = client
        self.hub = HubClient(stack.hub, client)


@asynccontextmanager
async def _member(folder: Path, name: str, image: str) -> AsyncIterator[_Member]:
    """The agent knows `image` as the one of our repository."""
    built = {
        "reference": image,
        "repository": SPEC.affinity_key,
        "size_bytes": 1,
        "made_at": time.time(),
    }
    state = folder / "state"
    state.mkdir()
    known = json.dumps({SPEC.image_key(COMMIT): built})
    (state / "built-images.json").write_text(known, encoding="utf-8")
    settings = stack_settings(state, name, open_builds=True, warm={"enabled": False})
    stack = KubernetesStack(settings=settings)
    runner = make_runner(create_app(settings, stack=stack))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with httpx.AsyncClient(trust_env=False, timeout=LAUNCH_SECONDS) as client:
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield _Member(url=url, client=client, stack=stack)
    finally:
        await runner.cleanup()


async def _through_agent(member: _Member) -> float:
    """Seconds from the request to `ready`."""
    began = time.monotonic()
    await _follow(member.client, f"{member.url}/build/gh/owner/repository/{COMMIT}", {})
    return time.monotonic() - began


async def _through_hub(member: _Member, image: str) -> float:
    """Seconds from the first request to the hub's `ready`."""
    began = time.monotonic()
    session = await member.hub.launch(image)
    seconds = time.monotonic() - began
    if not session.last_event.get("ready"):
        raise RuntimeError(f"the hub did not start a server: {session.last_event}")
    return seconds


async def _follow(client: httpx.AsyncClient, url: str, headers: dict[str, str]) -> None:
    accept = {"Accept": "text/event-stream", **headers}
    async with client.stream("GET", url, headers=accept) as answer:
        async for line in answer.aiter_lines():
            event: dict[str, Any] = json.loads(line[5:]) if line.startswith("data:") else {}
            if event.get("phase") == "failed":
                raise RuntimeError(f"a launch failed: {event.get('message')}")
            if event.get("phase") == "ready":
                return


async def _clear(member: _Member, name: str) -> None:
    """Remove all sessions; the node may take its time, but not the machine's."""
    await kubectl("delete", "pods", "--all", "-n", name, "--grace-period=0", "--force")
    for user in await member.hub.users():
        await _stop(member, user)
        await member.hub.api("DELETE", f"users/{user}")


async def _stop(member: _Member, user: str) -> None:
    while True:
        answer = await member.hub.api("DELETE", f"users/{user}/server")
        if answer.status_code == httpx.codes.NO_CONTENT:
            return
        await asyncio.sleep(0.1)


def _agents_cpu(rounds: int) -> Row:
    seconds = asyncio.run(_launch_at_once(rounds))
    return Row(f"the agent's CPU for {STREAMS} launches at once", median(seconds), "s")


async def _launch_at_once(rounds: int) -> list[float]:
    port, found = find_port(), []
    agents_core, _ = cores()
    settings = {
        "name": "alpha",
        "credential": secrets.token_hex(32),
        "port": port,
        "open_builds": True,
        "quota": {"sessions": STREAMS * (rounds + 1)},
        "launch": {"concurrent": STREAMS},
        "warm": {"enabled": False},
    }
    async with FakeHub() as hub, AsyncExitStack() as resources:
        folder = resources.enter_context(tempfile.TemporaryDirectory())
        arguments = ["-m", "tests.support.run_agent_on_hub", f"{folder}/ready", hub.url]
        given = [*arguments, json.dumps({**settings, "state_dir": folder})]
        agent = python_server(given, port=port, core=agents_core)
        # In a thread: the agent asks our hub for its users before it listens.
        pid = await asyncio.to_thread(resources.enter_context, agent)
        for number in range(rounds):
            before = cpu_seconds(pid)
            await _launch_all(f"http://127.0.0.1:{port}", number)
            found.append(cpu_seconds(pid) - before)
    return found


async def _launch_all(url: str, number: int) -> None:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(trust_env=False, timeout=60, limits=limits) as client:
        paths = [f"{url}/build/gh/owner/r{number}-{each}/{COMMIT}" for each in range(STREAMS)]
        await asyncio.gather(*(_follow(client, path, {}) for path in paths))
