"""The stack as a whole: starting, stopping, crashing, and what it finds when it comes back."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.stacks.base import StackNotReady
from binder_federation.cluster_agent.stacks.local.folders import StackFolders
from binder_federation.cluster_agent.stacks.local.machine import lock_folder, sessions_that_fit
from binder_federation.cluster_agent.stacks.local.stack import LocalStack
from binder_federation.cluster_agent.stacks.local.sweep import SESSION_MARK
from binder_federation.config.agent import AgentLaunchSettings, AgentSettings, LocalStackSettings
from binder_federation.runtime.processes import OWNER_MARK, hold_marked_processes
from tests.support.eventually import eventually
from tests.support.git_repositories import GitRepository, make_repository
from tests.support.local_stack import HubClient, Progress, make_plan, make_settings

PROJECT = Path(__file__).parents[3]


@asynccontextmanager
async def started(settings: AgentSettings) -> AsyncIterator[LocalStack]:
    stack = LocalStack(settings=settings)
    try:
        await stack.start()
        yield stack
    finally:
        await stack.aclose()


def count_processes(state_dir: Path) -> int:
    held = hold_marked_processes(OWNER_MARK, str(state_dir))
    for process in held:
        process.release()
    return len(held)


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    return make_repository(tmp_path / "repository", {"index.ipynb": "{}"})


async def test_closing_ends_sessions_and_leaves_the_images(
    state_dir: Path, repository: GitRepository
) -> None:
    folders = StackFolders(state_dir)
    async with started(make_settings(state_dir)) as stack:
        image = await stack.builder.build(make_plan(repository), Progress())
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            session = await HubClient(stack.hub, client).launch(image.reference)
        assert session.last_event.get("ready") is True
        assert count_processes(state_dir) >= 3
    assert count_processes(state_dir) == 0
    assert not folders.sessions.exists()
    assert [path.name for path in folders.hub.iterdir()] == ["hub.log"]
    assert [path.name for path in folders.images.iterdir()] == [image.reference]


async def test_a_killed_agent_takes_everything_with_it(
    state_dir: Path, repository: GitRepository
) -> None:
    """Also a daemon of a session: at the latest when the agent comes back."""
    agent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.stack_process"),
        *(str(state_dir), str(repository.path)),
        cwd=PROJECT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert agent.stdout is not None
        async with asyncio.timeout(60):
            said = json.loads(await agent.stdout.readline())
        assert said["ready"] is True
        folders = StackFolders(state_dir)
        daemon = await asyncio.create_subprocess_exec(
            *("setsid", "sleep", "600"),
            env={
                OWNER_MARK: str(state_dir),
                SESSION_MARK: str(folders.session(said["user"])),
                "PATH": os.defpath,
            },
        )
    finally:
        agent.send_signal(signal.SIGKILL)
        await agent.wait()

    async def only_the_daemon_is_left() -> bool:
        return count_processes(state_dir) == 1

    await eventually(
        only_the_daemon_is_left, what="hub, proxy and server to end", within_seconds=15
    )
    (folders.images / ("f" * 32) / "env").mkdir(parents=True)
    async with started(make_settings(state_dir)) as stack:
        assert await daemon.wait() != 0
        images = await stack.images.list_images()
        assert [image.key for image in images] == [make_plan(repository).key]
        assert not (folders.images / ("f" * 32)).exists()
        assert not folders.sessions.exists()
    assert count_processes(state_dir) == 0


async def test_a_hub_that_is_killed_is_started_again(
    state_dir: Path, repository: GitRepository
) -> None:
    """At the same address, with the same token; its sessions end with it and leave nothing."""
    async with (
        started(make_settings(state_dir)) as stack,
        httpx.AsyncClient(trust_env=False, timeout=60) as client,
    ):
        image = await stack.builder.build(make_plan(repository), Progress())
        hub, url = HubClient(stack.hub, client), stack.hub.api_url
        lost = await hub.launch(image.reference)
        folder = StackFolders(state_dir).session(lost.user)
        kill_hub(state_dir)

        async def has_come_back() -> bool:
            return all(check.ok for check in await stack.checks())

        await eventually(has_come_back, what="the hub to come back")
        assert stack.hub.api_url == url
        again = await hub.launch(image.reference)
        assert again.last_event.get("ready") is True, again.last_event

        os.utime(folder, (0, 0))
        await stack.tidy(known_servers=None)
        assert folder.exists(), "nothing is removed while the hub does not tell who is there"
        await stack.tidy(known_servers=frozenset([ServerName(again.user)]))
        assert not folder.exists()
        assert (await hub.visit(again, "api/status")).status_code == 200


def kill_hub(state_dir: Path) -> None:
    (hub,) = [
        process
        for process in psutil.process_iter(["cmdline", "pid"])
        if process.info["cmdline"]
        and process.info["cmdline"][1:3] == ["-m", "jupyterhub"]
        and process.cwd() == str(StackFolders(state_dir).hub)
    ]
    hub.kill()


async def test_two_agents_do_not_share_a_folder(state_dir: Path) -> None:
    with lock_folder(state_dir):
        second = LocalStack(settings=make_settings(state_dir))
        with pytest.raises(StackNotReady, match="Another agent uses the state folder"):
            await second.start()
        await second.aclose()


async def test_a_public_port_that_is_taken_is_named(state_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = make_settings(state_dir, local=LocalStackSettings(hub_port=port))
        with pytest.raises(StackNotReady, match=f"Port {port} on 127.0.0.1 is in use"):
            async with started(settings):
                pass
    assert count_processes(state_dir) == 0


async def test_idle_servers_and_their_users_are_culled(
    state_dir: Path, repository: GitRepository
) -> None:
    launch = AgentLaunchSettings(cull_idle_seconds=1, cull_every_seconds=1)
    async with (
        started(make_settings(state_dir, launch=launch)) as stack,
        httpx.AsyncClient(trust_env=False, timeout=60) as client,
    ):
        hub = HubClient(stack.hub, client)
        image = await stack.builder.build(make_plan(repository), Progress())
        session = await hub.launch(image.reference)

        async def is_culled() -> bool:
            return await hub.users() == []

        await eventually(is_culled, what="the culler", within_seconds=30)
        assert not StackFolders(state_dir).session(session.user).exists()


def test_the_machine_carries_at_least_one_session() -> None:
    assert 1 <= sessions_that_fit() <= 64
