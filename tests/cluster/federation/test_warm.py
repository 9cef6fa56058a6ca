"""Warm servers on Kubernetes: there at once, and given once, whatever crashes."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser

from binder_federation.binder.events import Phase
from tests.cluster.federation.conftest import Site
from tests.support.browser import watched_page
from tests.support.eventually import eventually
from tests.support.federation_process import FederationProcess, federation_process
from tests.support.helm_member import HelmMember, helm_member
from tests.support.launch_checks import answers
from tests.support.notebooks import GREETING, jupyterlab_errors, run_first_cell
from tests.support.ports import free_port
from tests.support.project_image import project_image
from tests.support.running_up import StreamSeen
from tests.support.site import host_address

pytestmark = pytest.mark.asyncio(loop_scope="session")

POOL = 3
LAUNCHES = 100
AT_ONCE = 4
WARM = {
    "share": 0.5,
    "most_per_image": POOL,
    "least_per_hour": 0.1,
    "margin": 50,  # as many as there may be, after the first launch
}


@dataclass
class Place:
    """One member with a pool, and a federation of its own."""

    federation: FederationProcess
    member: HelmMember

    async def wait_for_pool(self, name: str) -> None:
        """Until the pool of a repository is full, beside the session of its first visitor."""

        async def is_full() -> bool:
            return await self.servers(name) == POOL + 1

        await eventually(is_full, what=f"{POOL} warm servers of {name}", within_seconds=180)

    async def servers(self, name: str) -> int:
        """How many servers of a repository are ready."""
        return sum(
            pod["metadata"]["name"].startswith(f"session-{name}-") and is_ready(pod)
            for pod in await self.member.pods("server")
        )


def is_ready(pod: dict[str, Any]) -> bool:
    containers = pod["status"].get("containerStatuses") or []
    return bool(containers) and all(each["ready"] for each in containers)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(site: Site, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    folder = tmp_path_factory.mktemp("warm")
    host, port = host_address(), free_port()
    async with AsyncExitStack() as stack:
        member = await stack.enter_async_context(
            helm_member(
                "warm",
                image=await asyncio.to_thread(project_image),
                federation_url=f"http://{host}:{port}",
                registry="127.0.0.1:5000",
                registry_url=f"http://{site.registry_gate.address}",
                trusted=f"{site.git.url}/",
                values_folder=folder,
                values={"config": {"warm": WARM, "quota": {"sessions": 16}}},
            )
        )
        federation = await stack.enter_async_context(
            federation_process(
                folder,
                host=host,
                port=port,
                members=[member.for_federation],
                providers={"trusted_prefixes": [f"{site.git.url}/"]},
            )
        )
        await federation.wait_until("up", "warm")
        yield Place(federation, member)


async def test_a_hot_image_opens_at_once(site: Site, place: Place, browser: Browser) -> None:
    path = site.repository("hot")
    first = await place.federation.launch(path)
    await place.wait_for_pool("hot")
    seen = await place.federation.launch(path)

    assert first.last.phase is seen.last.phase is Phase.READY, seen.text
    assert seen.last.fields.get("warm") is True, "it was started anew"
    assert await answers(seen)
    sys.stdout.write(f"request to ready, warm: {seen.ready_after_seconds:.2f} s;"
          f" with its build: {first.ready_after_seconds:.1f} s\n")  # fmt: skip
    errors = jupyterlab_errors()
    async with watched_page(browser, errors=errors) as page:
        await page.goto(f"{place.federation.url}/v2/{path}?labpath=index.ipynb")
        assert await run_first_cell(page) == GREETING


async def test_a_hundred_visitors_a_pool_of_three_and_a_crash(site: Site, place: Place) -> None:
    path = site.repository("hundred")
    first = await place.federation.launch(path)
    await place.wait_for_pool("hundred")
    seen: list[StreamSeen] = []
    turn = asyncio.Semaphore(AT_ONCE)

    async def visit(number: int) -> None:
        async with turn:
            if number == LAUNCHES // 2:
                (agent,) = await place.member.pod_names("agent")
                await place.member.run("python", "-c", "import os; os.kill(1, 9)")
                assert agent in await place.member.pod_names("agent"), "the container alone died"
            one = await launch_until_ready(place, path)
            seen.append(one)
            await leave(one)

    async with asyncio.TaskGroup() as group:
        for number in range(LAUNCHES):
            group.create_task(visit(number))

    urls = [one.last.fields["url"] for one in seen]
    warm = sum(one.last.fields.get("warm") is True for one in seen)
    sys.stdout.write(f"{LAUNCHES} launches, {warm} of them warm\n")
    assert len(set(urls)) == LAUNCHES, "a server was given twice"
    assert warm > 0, "the pool served nobody"
    await leave(first)
    await place.member.drain()

    async def is_empty() -> bool:
        return await place.servers("hundred") == 0

    await eventually(is_empty, what="no server to be left", within_seconds=300)
    await place.member.undrain()


async def launch_until_ready(place: Place, path: str) -> StreamSeen:
    """A visitor who tries again when the only member is away."""
    for _ in range(20):
        seen = await place.federation.launch(path, seconds=240)
        if seen.last.phase is Phase.READY:
            return seen
        assert seen.last.fields["fault"] in ("member", "federation"), seen.last
        await asyncio.sleep(3)  # as the page does, which says so
    raise AssertionError(f"never ready: {seen.last}")


async def leave(seen: StreamSeen) -> None:
    """Shut the server down, as the menu does."""
    url, token = seen.last.fields["url"], seen.last.fields["token"]
    async with httpx.AsyncClient(timeout=30) as client:
        answer = await client.post(
            f"{url}api/shutdown", headers={"Authorization": f"token {token}"}
        )
    assert answer.status_code == 200, answer.text
