"""The Docker stack as a whole: its ends and returns, its registry, an engine that goes away."""

import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from binder_federation.binder.errors import MemberBuildFailed
from binder_federation.binder.events import Phase
from binder_federation.binder.messages import Tier
from binder_federation.cluster_agent.stacks.base import StackNotReady
from binder_federation.cluster_agent.stacks.docker.build_memory import BuildMemory, runs_as_root
from binder_federation.cluster_agent.stacks.docker.stack import DockerStack
from binder_federation.config.agent import AgentSettings
from binder_federation.config.registry import RegistrySettings
from binder_federation.config.stacks.docker import DockerStackSettings
from binder_federation.runtime.processes import OWNER_MARK, hold_marked_processes
from tests.support.docker_stack import (
    clean_engine,
    containers_of,
    docker,
    docker_settings,
    dockerfile,
    running_stack,
)
from tests.support.eventually import eventually
from tests.support.git_repositories import make_repository
from tests.support.local_stack import HubClient, Progress, make_plan
from tests.support.site import pump

pytestmark = pytest.mark.usefixtures("docker_engine")
PROJECT = Path(__file__).parents[3]


def count_processes(state_dir: Path) -> int:
    held = hold_marked_processes(OWNER_MARK, str(state_dir))
    for process in held:
        process.release()
    return len(held)


async def test_a_registry_keeps_what_the_engine_lost(
    tmp_path: Path, base_image: str, registry: str
) -> None:
    name = f"{registry}/binderfed-test/{secrets.token_hex(6)}"
    settings = docker_settings(
        tmp_path / "state", registry=RegistrySettings(repository=name, allow_delete=True)
    )
    plan = make_plan(make_repository(tmp_path / "repository", dockerfile(base_image, "RUN echo 1")))
    async with running_stack(settings) as stack:
        assert all(check.ok for check in await stack.checks())
        progress = Progress()
        image = await stack.builder.build(plan, progress)
        assert Phase.PUSHING in progress.phases
        assert image.reference.startswith(f"{name}:")
        (record,) = await stack.images.list_images()
        assert record.tier is Tier.NODE

        docker("image", "rm", "--force", image.reference)
        (record,) = await stack.images.list_images()
        assert (record.key, record.tier) == (plan.key, Tier.REGISTRY)
        found = await stack.images.find(plan.key)
        assert found is not None
        assert found.reference == image.reference

        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            session = await HubClient(stack.hub, client).launch(image.reference)
            assert session.last_event.get("ready") is True, "the spawner pulls what is missing"
        docker("rm", "--force", f"binderfed-{settings.name}-{session.user}")
        docker("image", "rm", "--force", image.reference)
        await stack.images.bring_near(found)
        (record,) = await stack.images.list_images()
        assert record.tier is Tier.NODE


async def test_a_killed_agent_leaves_nothing_for_good(tmp_path: Path, base_image: str) -> None:
    settings = docker_settings(tmp_path / "state")
    repository = make_repository(tmp_path / "repository", dockerfile(base_image))
    agent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.docker_stack_process"),
        *(str(settings.state_dir), settings.name, str(repository.path)),
        cwd=PROJECT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert agent.stdout is not None
        async with asyncio.timeout(120):
            said = json.loads(await agent.stdout.readline())
        assert said["ready"] is True
        assert len(containers_of(settings)) == 1
        agent.send_signal(signal.SIGKILL)
        await agent.wait()
        async with running_stack(settings) as stack:
            assert containers_of(settings) == []
            plan = make_plan(repository)
            assert await stack.images.find(plan.key) is not None, "its images are still there"
    finally:
        if agent.returncode is None:
            agent.kill()
            await agent.wait()
        clean_engine(settings)
    assert count_processes(settings.state_dir) == 0


async def test_what_another_run_left_is_removed_when_its_agent_is_no_more(
    tmp_path: Path, base_image: str
) -> None:
    settings = docker_settings(tmp_path / "state")
    elsewhere = docker_settings(tmp_path / "elsewhere", name=settings.name)
    labels = session_of(elsewhere)
    async with running_stack(elsewhere):
        docker("run", "--detach", *labels, "--entrypoint", "sleep", base_image, "600")
        async with running_stack(settings):
            assert len(containers_of(elsewhere)) == 1, "that agent lives, and so do its servers"
    docker("run", "--detach", *labels, "--entrypoint", "sleep", base_image, "600")
    async with running_stack(settings):
        assert containers_of(elsewhere) == []


async def test_a_machine_that_shares_an_engine_elsewhere_keeps_its_servers(
    tmp_path: Path, base_image: str
) -> None:
    """Two machines, one engine, members of one name: neither sees the other's state folder."""
    async with engine_by_tcp() as address:
        own = DockerStackSettings(engine_url=address, servers_at="port", firewall=False)
        settings = docker_settings(tmp_path / "state", docker=own)
        elsewhere = docker_settings(tmp_path / "not-here", name=settings.name)
        labels = session_of(elsewhere)
        docker("run", "--detach", *labels, "--entrypoint", "sleep", base_image, "600")
        try:
            async with running_stack(settings):
                assert len(containers_of(elsewhere)) == 1, "another machine's session was ended"
        finally:
            clean_engine(elsewhere)


def session_of(settings: AgentSettings) -> list[str]:
    """The arguments that label a container as a session of that agent's."""
    labels = {
        "member": settings.name,
        "owner": str(settings.state_dir),
        "component": "session",
    }
    return [f"--label=org.binder-federation.{name}={value}" for name, value in labels.items()]


@asynccontextmanager
async def engine_by_tcp() -> AsyncIterator[str]:
    """The engine's address where its socket is passed on by TCP."""
    given = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not given.startswith("unix://"):
        yield given
        return

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        engine = await asyncio.open_unix_connection(given.removeprefix("unix://"))
        await asyncio.gather(pump(reader, engine[1]), pump(engine[0], writer))

    server = await asyncio.start_server(pass_on, "127.0.0.1", 0)
    try:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def test_servers_may_outlive_their_agent(
    tmp_path: Path, base_image: str, unused_tcp_port: int
) -> None:
    own = DockerStackSettings(keep_servers=True, hub_port=unused_tcp_port)
    settings = docker_settings(tmp_path / "state", docker=own)
    plan = make_plan(make_repository(tmp_path / "repository", dockerfile(base_image)))
    stack = DockerStack(settings=settings)
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            await stack.start()
            image = await stack.builder.build(plan, Progress())
            hub = HubClient(stack.hub, client)
            session = await hub.launch(image.reference)
            assert session.last_event.get("ready") is True, session.last_event
            await stack.aclose()
            assert len(containers_of(settings)) == 1, "the session ended with its agent"
            stack = DockerStack(settings=settings)
            await stack.start()
            hub = HubClient(stack.hub, client)
            assert await hub.users() == [session.user]

            async def answers() -> bool:
                return (await hub.visit(session, "api/status")).status_code == 200

            await eventually(answers, what="the session to be reached again")
            await hub.stop(session)
            assert containers_of(settings) == []
    finally:
        await stack.aclose()
        clean_engine(settings)


async def test_an_engine_that_is_gone_is_named(tmp_path: Path) -> None:
    own = DockerStackSettings(engine_url=f"unix://{tmp_path}/nowhere.sock")
    stack = DockerStack(settings=docker_settings(tmp_path / "state", docker=own))
    with pytest.raises(StackNotReady, match="Docker engine does not answer"):
        await stack.start()
    await stack.aclose()
    assert count_processes(tmp_path / "state") == 0


async def test_a_full_disk_stops_builds_not_launches(tmp_path: Path, base_image: str) -> None:
    own = DockerStackSettings(least_free_bytes=1 << 60)
    settings = docker_settings(tmp_path / "state", docker=own)
    plan = make_plan(make_repository(tmp_path / "repository", dockerfile(base_image)))
    async with running_stack(settings) as stack:
        await stack.tidy(known_servers=None)
        assert not stack.room.can_build
        with pytest.raises(MemberBuildFailed, match="disk is nearly full"):
            await stack.builder.build(plan, Progress())


async def test_a_cancelled_build_leaves_nothing(tmp_path: Path, base_image: str) -> None:
    settings = docker_settings(tmp_path / "state")
    files = dockerfile(base_image, "RUN sleep 600")
    plan = make_plan(make_repository(tmp_path / "repository", files))
    async with running_stack(settings) as stack:
        progress = Progress()
        async with asyncio.TaskGroup() as group:
            build = group.create_task(stack.builder.build(plan, progress))

            async def it_builds() -> bool:
                return "RUN sleep 600" in progress.text

            await eventually(it_builds, what="the build to begin", within_seconds=60)
            before = count_processes(settings.state_dir)
            build.cancel()
        assert await stack.images.find(plan.key) is None
        assert count_processes(settings.state_dir) < before
        assert list((settings.state_dir / "building").iterdir()) == []


async def test_what_builds_run_in_has_a_limit(base_image: str, docker_engine: str) -> None:
    """The cgroup, with a container in it: this engine's BuildKit may be too old to use it."""
    if not runs_as_root() or not Path("/sys/fs/cgroup/memory").is_dir():
        pytest.skip("needs root and cgroups of the first version")
    memory = BuildMemory(limit_bytes=64 << 20, version="1")
    name = secrets.token_hex(4)
    allocate = "x = bytearray(200 << 20); print('kept')"
    async with memory.hold(name) as cgroup:
        process = await asyncio.create_subprocess_exec(
            *(docker_engine, "run", "--rm", f"--cgroup-parent={cgroup}"),
            *("--entrypoint", "python3", base_image, "-c", allocate),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        said, _ = await process.communicate()
    assert said == b"", "it had more memory than it may"
    assert process.returncode == 137
    assert not list(Path("/sys/fs/cgroup").glob(f"*/binderfed/{name}"))


ASK_METADATA = """RUN python3 -c "import errno, socket; \\
    print('metadata:', errno.errorcode[socket.socket().connect_ex(('169.254.169.254', 80))])"
"""


async def test_builds_may_be_kept_from_the_metadata_too(tmp_path: Path, base_image: str) -> None:
    if not runs_as_root():
        pytest.skip("needs a firewall: this user is not root")
    own = DockerStackSettings(firewall_builds=True)
    anew = f"ENV ANEW={secrets.token_hex(4)}"  # what the engine has in its cache says nothing
    settings = docker_settings(tmp_path / "state", docker=own)
    plan = make_plan(
        make_repository(tmp_path / "repository", dockerfile(base_image, anew, ASK_METADATA))
    )
    async with running_stack(settings) as stack:
        progress = Progress()
        await stack.builder.build(plan, progress)
        assert "metadata: ECONNREFUSED" in progress.text, "the rule refuses at once"


async def test_servers_at_ports_of_the_engines_machine(tmp_path: Path, base_image: str) -> None:
    settings = docker_settings(
        tmp_path / "state", docker=DockerStackSettings(servers_at="port", firewall=False)
    )
    plan = make_plan(make_repository(tmp_path / "repository", dockerfile(base_image)))
    async with running_stack(settings) as stack:
        image = await stack.builder.build(plan, Progress())
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            hub = HubClient(stack.hub, client)
            session = await hub.launch(image.reference)
            assert session.last_event.get("ready") is True, session.last_event
            published = docker("port", f"binderfed-{settings.name}-{session.user}")
            assert "-> 127.0.0.1:" in published, "others on the network reach the server's port"
            assert (await hub.visit(session, "api/status")).status_code == 200
            await hub.stop(session)
