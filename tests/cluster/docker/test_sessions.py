"""Sessions in containers: what a visitor has there, and what is out of reach."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from binder_federation.binder.events import Event, Phase
from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.stacks.base import Image
from binder_federation.cluster_agent.stacks.containers.refusals import own_exit_code
from binder_federation.cluster_agent.stacks.docker.leftovers import SessionContainers
from binder_federation.cluster_agent.stacks.docker.stack import DockerStack
from binder_federation.config.agent import AgentSettings
from binder_federation.config.isolation import IsolationSettings
from binder_federation.config.resources import ResourceSettings
from tests.support.docker_stack import (
    containers_of,
    docker,
    docker_settings,
    dockerfile,
    running_stack,
)
from tests.support.eventually import eventually
from tests.support.git_repositories import make_repository
from tests.support.launch_checks import run_code
from tests.support.local_stack import HubClient, Progress, Session, make_plan
from tests.support.outside_host import outside_host
from tests.support.running_up import StreamSeen

pytestmark = pytest.mark.asyncio(loop_scope="module")

LINES = ('ENV GREETING="from the image"', "RUN mkdir -p /home/jovyan/kept")


@dataclass(frozen=True)
class Place:
    """A started stack with one image."""

    stack: DockerStack
    settings: AgentSettings
    hub: HubClient
    image: Image

    async def run(self, session: Session, code: str) -> str:
        """What `code` prints in a kernel of the session."""
        url = f"{self.stack.hub.public_url}/user/{session.user}/"
        ready = Event(Phase.READY, fields={"url": url, "token": session.token})
        return await run_code(StreamSeen(events=[ready]), code)

    def container(self, session: Session) -> str:
        return f"binderfed-{self.settings.name}-{session.user}"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def place(
    tmp_path_factory: pytest.TempPathFactory, docker_engine: str, base_image: str
) -> AsyncIterator[Place]:
    parent = tmp_path_factory.mktemp("sessions")
    settings = docker_settings(
        parent / "state",
        resources=ResourceSettings(memory_limit="700M", cpu_limit=1),
        isolation=IsolationSettings(disk_limit="20M", run_as_user=None),
    )
    async with running_stack(settings) as stack:
        repository = make_repository(parent / "repository", dockerfile(base_image, *LINES))
        image = await stack.builder.build(make_plan(repository), Progress())
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            yield Place(stack, settings, HubClient(stack.hub, client), image)


async def launch(place: Place, image: str = "", **options: str) -> Session:
    session = await place.hub.launch(image or place.image.reference, **options)
    assert session.last_event.get("ready") is True, session.last_event
    return session


async def test_a_kernel_answers(place: Place) -> None:
    session = await launch(place, repo_url="https://example.org/r")
    assert (await place.hub.visit(session, "api/status")).status_code == 200
    code = "import os; print(os.environ['GREETING'], os.environ['BINDER_REPO_URL'])"
    assert await place.run(session, code) == "from the image https://example.org/r\n"
    variables = json.loads(
        await place.run(session, "import json, os; print(json.dumps({**os.environ}))")
    )
    assert place.hub.hub.api_token not in variables.values()
    assert not {"JUPYTERHUB_API_TOKEN", "JUPYTERHUB_API_URL", "JPY_API_TOKEN"} & variables.keys()
    await place.hub.stop(session)
    assert place.container(session) not in containers_of(place.settings)


LOOK_AROUND = """
import json, os
lines = open("/proc/self/status").read().splitlines()
status = dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)
def read(*paths):
    return next((open(path).read().strip() for path in paths if os.path.exists(path)), "")
sockets = ("/var/run/docker.sock", "/run/containerd")
cgroup = "/sys/fs/cgroup"
print(json.dumps({
    "uid": os.getuid(),
    "caps": [status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
    "no_new_privs": status["NoNewPrivs"],
    "seccomp": status["Seccomp"],
    "sockets": [path for path in sockets if os.path.exists(path)],
    "memory": read(f"{cgroup}/memory/memory.limit_in_bytes", f"{cgroup}/memory.max"),
    "pids": read(f"{cgroup}/pids/pids.max", f"{cgroup}/pids.max"),
}))
"""


async def test_a_server_has_no_more_rights_than_it_needs(place: Place) -> None:
    session = await launch(place)
    seen = json.loads(await place.run(session, LOOK_AROUND))
    assert seen["uid"] == 1000
    assert set(seen["caps"]) == {"0" * 16}, "it keeps capabilities of the kernel"
    assert seen["no_new_privs"] == "1", "sudo works"
    assert seen["seccomp"] == "2", "every system call is allowed"
    assert seen["sockets"] == []
    assert seen["memory"] == str(700 << 20)
    assert seen["pids"] == "1024"
    await place.hub.stop(session)


CONNECT = """
import errno, json, socket
def connect(host, port):
    try:
        socket.create_connection((host, port), timeout=3).close()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    return "connected"
print(json.dumps([connect(host, port) for host, port in {targets}]))
"""


async def test_what_is_out_of_reach(place: Place) -> None:
    """The metadata address, this machine's services, the hub's API, another user's server."""
    if place.stack._network.firewall_missing:
        pytest.skip(f"needs a firewall: {place.stack._network.firewall_missing}")
    first, second = await launch(place), await launch(place)
    network = "{{range .NetworkSettings.Networks}}{{.Gateway}} {{.IPAddress}}{{end}}"
    gateway, _ = docker("inspect", "-f", network, place.container(first)).split()
    _, neighbour = docker("inspect", "-f", network, place.container(second)).split()
    hub_port = int(place.hub.hub.api_url.split(":")[2].split("/")[0])
    with socket.create_server(("0.0.0.0", 0)) as service:
        targets = [
            ("169.254.169.254", 80),
            (gateway, service.getsockname()[1]),
            (gateway, hub_port),
            (neighbour, 8888),
            ("127.0.0.1", 8888),
        ]
        code = CONNECT.replace("{targets}", repr(targets))
        metadata, machine, hub, other, own = json.loads(await place.run(first, code))
    assert own == "connected", "the test itself does not work"
    assert metadata == "ECONNREFUSED", "the rule refuses at once, where nobody is there or is"
    assert machine == "ECONNREFUSED", "this machine's services can be reached"
    assert hub == "ECONNREFUSED", "the hub's API can be reached"
    assert other != "connected", "another user's server can be reached"
    for session in (first, second):
        await place.hub.stop(session)


async def test_servers_reach_the_web_and_git_and_no_other_ports(place: Place) -> None:
    if place.stack._network.firewall_missing:
        pytest.skip(f"needs a firewall: {place.stack._network.firewall_missing}")
    session = await launch(place)
    ports = (80, 443, 9418, 22, 25, 3333, 6667)
    async with outside_host(ports) as address:
        targets = [(address, port) for port in ports]
        found = json.loads(await place.run(session, CONNECT.replace("{targets}", repr(targets))))
    assert dict(zip(ports, found, strict=True)) == {
        **dict.fromkeys((80, 443, 9418), "connected"),
        **dict.fromkeys((22, 25, 3333, 6667), "ECONNREFUSED"),
    }
    await place.hub.stop(session)


async def test_a_launch_may_ask_for_other_limits(place: Place) -> None:
    session = await launch(place, mem_limit="512M")
    limit = docker("inspect", "-f", "{{.HostConfig.Memory}}", place.container(session))
    assert limit == str(512 << 20)
    await place.hub.stop(session)


@pytest.mark.parametrize(
    ("line", "exit_code"),
    [
        ('ENTRYPOINT ["false"]', 1),
        ("ENV PATH=/bin", 127),  # a shell, but no Jupyter
        ("ENV PATH=/nowhere", 127),
        ('ENTRYPOINT ["/nowhere"]', 127),
    ],
    ids=["entrypoint", "no jupyter", "no shell", "no entrypoint"],
)
async def test_an_image_whose_server_ends_early(
    place: Place, base_image: str, tmp_path: Path, line: str, exit_code: int
) -> None:
    files = dockerfile(base_image, line)
    plan = make_plan(make_repository(tmp_path / "repository", files))
    image = await place.stack.builder.build(plan, Progress())
    began = asyncio.get_running_loop().time()
    session = await place.hub.launch(image.reference)
    assert session.last_event.get("failed") is True
    assert own_exit_code(session.last_event["message"]) == exit_code, session.last_event
    assert asyncio.get_running_loop().time() - began < 15, "it waited for the hub's timeout"
    assert place.container(session) not in containers_of(place.settings)


@pytest.mark.parametrize("image", ["binderfed/nobody:none", "none", "../x", ""])
async def test_an_image_that_is_not_there(place: Place, image: str) -> None:
    session = await place.hub.launch(image)
    assert session.last_event.get("failed") is True, session.last_event
    told = session.last_event["message"]
    assert "image is not here any more" in told or "names no image" in told, "it was looked for"
    assert place.container(session) not in containers_of(place.settings)


async def test_an_image_of_root_does_not_start(place: Place, base_image: str) -> None:
    name = f"binderfed/{place.settings.name}:root"
    made = docker("run", "--detach", "--entrypoint", "true", base_image)
    docker("commit", "--change", "USER root", made, name)
    docker("rm", "--force", made)
    session = await place.hub.launch(name)
    assert "user is root" in session.last_event["message"]


async def test_a_server_that_fills_the_disk_is_ended(place: Place) -> None:
    session = await launch(place)
    other = await launch(place)
    await place.run(session, "print(open('/home/jovyan/x', 'wb').write(b'x' * 40_000_000))")
    place.stack._seldom_at = float("-inf")  # a minute has passed
    await place.stack.tidy(known_servers=frozenset(map(ServerName, [session.user, other.user])))
    left = containers_of(place.settings)
    assert place.container(session) not in left
    assert place.container(other) in left, "one that wrote little was ended"

    async def hub_noticed() -> bool:
        user = (await place.hub.api("GET", f"users/{session.user}")).json()
        return not user["servers"]

    await eventually(hub_noticed, what="the hub to notice")
    await place.hub.stop(other)


async def test_containers_that_nobody_has_are_removed(place: Place) -> None:
    engine = place.stack._engine
    containers = SessionContainers(
        engine=engine,
        member=place.settings.name,
        owner=place.settings.state_dir.absolute(),
        young_seconds=-60,
    )
    kept, lost = await launch(place), await launch(place)
    await containers.remove_unknown(frozenset([ServerName(kept.user)]))
    left = containers_of(place.settings)
    assert place.container(kept) in left
    assert place.container(lost) not in left
    await place.hub.stop(kept)


async def test_checks_are_well(place: Place) -> None:
    checks = await place.stack.checks()
    names = [check.service for check in checks]
    assert names == ["JupyterHub API", "Proxy", "Docker engine", "Disk"]
    assert all(check.ok for check in checks), checks
    assert place.stack.room.can_build
