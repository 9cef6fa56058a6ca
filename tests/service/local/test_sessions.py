"""Sessions of a real JupyterHub behind its real proxy, with real servers."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
import pytest_asyncio

from binder_federation.binder.errors import NamedServersOff
from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.hub_api import NO_RETRY, HubApi, RetryPolicy
from binder_federation.cluster_agent.hub_models import HANDED_OUT_GROUP
from binder_federation.cluster_agent.stacks.base import Image
from binder_federation.cluster_agent.stacks.local.base_environment import BaseEnvironment
from binder_federation.cluster_agent.stacks.local.folders import StackFolders
from binder_federation.cluster_agent.stacks.local.session_files import SessionFolder
from binder_federation.cluster_agent.stacks.local.stack import LocalStack
from binder_federation.cluster_agent.stacks.local.sweep import SESSION_MARK
from binder_federation.cluster_agent.warm.handouts import HandOuts
from binder_federation.runtime.processes import OWNER_MARK, hold_marked_processes
from tests.service.local.conftest import make_state_dir
from tests.support.eventually import eventually
from tests.support.git_repositories import make_repository
from tests.support.local_stack import HubClient, Progress, Session, make_plan, make_settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

START = '#!/bin/sh\nexport GREETING="from start"\nexec "$@"\n'


@dataclass(frozen=True)
class Place:
    """A started stack with one image."""

    stack: LocalStack
    hub: HubClient
    image: Image
    folders: StackFolders

    def session(self, session: Session) -> SessionFolder:
        return SessionFolder(self.folders.session(session.user))

    def processes(self, session: Session) -> list[psutil.Process]:
        """Every process of the session that lives."""
        held = hold_marked_processes(SESSION_MARK, str(self.session(session).path))
        for process in held:
            process.release()
        return living(process.pid for process in held)

    def server(self, session: Session) -> psutil.Process:
        """The session's JupyterLab."""
        return next(p for p in self.processes(session) if "jupyter-lab" in " ".join(command_of(p)))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def place(
    tmp_path_factory: pytest.TempPathFactory, base: BaseEnvironment
) -> AsyncIterator[Place]:
    parent = tmp_path_factory.mktemp("sessions")
    state_dir = make_state_dir(parent, base)
    stack = LocalStack(settings=make_settings(state_dir))
    try:
        await stack.start()
        files = {"index.ipynb": "{}", "50%.txt": "half", "start": START, "src/mine.py": "a = 1\n"}
        files["pyproject.toml"] = "[project]\nname = 'mine'\nversion = '1'\n"
        files["requirements.txt"] = "-e .\n"
        repository = make_repository(parent / "repository", files)
        image = await stack.builder.build(make_plan(repository), Progress())
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            yield Place(stack, HubClient(stack.hub, client), image, StackFolders(state_dir))
    finally:
        await stack.aclose()
    assert hold_marked_processes(OWNER_MARK, str(state_dir)) == []


async def test_a_session_from_start_to_end(place: Place) -> None:
    session = await place.hub.launch(place.image.reference, repo_url="https://example.org/r")
    assert session.last_event.get("ready") is True, session.last_event
    status = await place.hub.visit(session, "api/status")
    assert status.status_code == 200, "ready means that it answers at once"
    variables = place.server(session).environ()
    assert variables["BINDER_REPO_URL"] == "https://example.org/r"
    assert variables["GREETING"] == "from start"
    assert variables["HOME"] == str(place.session(session).home)
    assert place.hub.hub.api_token not in variables.values()
    assert not any("JUPYTERHUB_API_TOKEN" in name for name in variables)
    await place.hub.stop(session)
    assert place.processes(session) == []
    assert not place.session(session).path.exists()
    assert await place.hub.users() == []


async def test_the_hub_remembers_which_warm_server_was_handed_out(place: Place) -> None:
    hub = HubApi(
        client=place.hub.client,
        hub=place.stack.hub,
        policy=RetryPolicy(retries=0, first_seconds=1.0),
    )
    deadline = asyncio.get_running_loop().time() + 60
    session = await place.hub.launch(place.image.reference, warm=True)
    (before,) = await hub.users(deadline=deadline)
    assert before.is_waiting_warm, "an agent that starts anew can tell"
    handouts = HandOuts(hub=hub)
    assert await handouts.record(session.user), "the agent may write it down, group or no group"
    assert await handouts.record(session.user), "and twice is no error"
    (after,) = await hub.users(deadline=deadline)
    assert after.groups == (HANDED_OUT_GROUP,)
    assert not after.is_waiting_warm
    await place.hub.stop(session)
    assert not await handouts.record(session.user), "who is gone cannot be given anything"


async def test_a_hub_without_named_servers_says_so(place: Place) -> None:
    hub = HubApi(client=place.hub.client, hub=place.stack.hub, policy=NO_RETRY)
    deadline = asyncio.get_running_loop().time() + 60
    await hub.create_user("ada", deadline=deadline)
    with pytest.raises(NamedServersOff):
        await hub.start_server(ServerName("ada", "engine-one"), {}, deadline=deadline)
    await hub.delete_user("ada", deadline=deadline)


async def test_only_the_token_opens_it(place: Place) -> None:
    session = await place.hub.launch(place.image.reference)
    stranger = Session(session.user, "0" * 32, {})
    assert (await place.hub.visit(stranger, "api/contents")).status_code == 403
    assert session.token not in " ".join(place.server(session).cmdline())
    assert (await place.hub.visit(session, "api/contents")).status_code == 200
    await place.hub.stop(session)


async def test_pages_of_other_origins_may_use_it(place: Place) -> None:
    session = await place.hub.launch(place.image.reference)
    origin = {"Origin": "https://book.example"}
    answer = await place.hub.visit(session, "api/contents", headers=origin)
    assert answer.headers["Access-Control-Allow-Origin"] == "https://book.example"
    kernel = await place.hub.visit(session, "api/kernels", method="POST", headers=origin)
    assert kernel.status_code == 201, kernel.text
    await place.hub.stop(session)


async def test_the_proxy_lets_every_file_name_through(place: Place) -> None:
    session = await place.hub.launch(place.image.reference)
    answer = await place.hub.visit(session, "api/contents/50%25.txt")
    assert answer.status_code == 200, answer.text
    assert answer.json()["content"] == "half"
    await place.hub.stop(session)


async def test_each_session_has_its_own_files(place: Place) -> None:
    first, second = await asyncio.gather(
        place.hub.launch(place.image.reference), place.hub.launch(place.image.reference)
    )
    (place.session(first).files / "index.ipynb").write_text("changed")
    image = place.folders.image(place.image.reference)
    assert (place.session(second).files / "index.ipynb").read_text() == "{}"
    assert (image.content / "index.ipynb").read_text() == "{}"
    await asyncio.gather(place.hub.stop(first), place.hub.stop(second))


async def test_what_is_installed_in_a_session_stays_there(place: Place) -> None:
    session = await place.hub.launch(place.image.reference)
    image = place.folders.image(place.image.reference)
    before = files_below(image.environment)
    installed = in_session(place, session, "pip", "install", "--no-deps", "xlrd", "six==1.16.0")
    assert "Successfully installed" in installed
    code = "import six, xlrd, jupyterlab; print(six.__version__, xlrd.__file__)"
    said = in_session(place, session, "python", "-c", code)
    assert said.split() == [
        "1.16.0",
        str(place.session(session).path / read_site_packages(place) / "xlrd/__init__.py"),
    ]
    assert files_below(image.environment) == before
    await place.hub.stop(session)


async def test_an_editable_project_is_the_sessions_own(place: Place) -> None:
    session = await place.hub.launch(place.image.reference)
    (place.session(session).files / "src/mine.py").write_text("a = 2\n")
    assert in_session(place, session, "python", "-c", "import mine; print(mine.a)").strip() == "2"
    await place.hub.stop(session)


async def test_a_kernel_is_the_sessions_python(place: Place) -> None:
    session = await place.hub.launch(place.image.reference)
    answer = await place.hub.visit(session, "api/kernels", method="POST")
    assert answer.status_code == 201, answer.text
    python = f"{place.session(session).environment}/bin/python"

    async def kernel_runs() -> bool:
        commands = [command_of(process) for process in place.processes(session)]
        return any(line[:3] == [python, "-m", "ipykernel_launcher"] for line in commands)

    await eventually(kernel_runs, what="the kernel")
    await place.hub.stop(session)
    assert place.processes(session) == []


async def test_a_daemon_that_left_its_group_ends_with_the_session(place: Place) -> None:
    session = await place.hub.launch(place.image.reference)
    daemon = in_session(
        place, session, "sh", "-c", "trap '' TERM; setsid sleep 600 >/dev/null 2>&1 & echo $!"
    )
    assert is_alive(int(daemon))
    await place.hub.stop(session)
    assert not is_alive(int(daemon))


async def test_a_server_that_dies_leaves_nothing(place: Place) -> None:
    session = await place.hub.launch(place.image.reference)
    in_session(place, session, "sh", "-c", "setsid sleep 600 >/dev/null 2>&1 &")
    os.kill(place.server(session).pid, signal.SIGKILL)

    async def is_gone() -> bool:
        return not place.processes(session) and not place.session(session).path.exists()

    await eventually(is_gone, what="the hub to notice", within_seconds=30)
    user = (await place.hub.api("GET", f"users/{session.user}")).json()
    assert user["servers"] == {}
    assert (await place.hub.api("DELETE", f"users/{session.user}")).status_code == 204


@pytest.mark.parametrize("image", ["f" * 32, "../../etc", "", "a" * 5000])
async def test_an_image_that_is_not_there(place: Place, image: str) -> None:
    session = await place.hub.launch(image)
    assert session.last_event.get("failed") is True
    assert "image" in session.last_event["message"]
    assert not place.session(session).path.exists()
    assert (await place.hub.api("DELETE", f"users/{session.user}")).status_code == 204


async def test_stopping_while_it_starts_leaves_nothing(place: Place) -> None:
    user = "demo-stopped-early"
    await place.hub.api("POST", f"users/{user}")
    body = {"image": place.image.reference, "token": "0" * 32}
    asked = await place.hub.api("POST", f"users/{user}/server", json=body)
    assert asked.status_code == 202

    async def is_deleted() -> bool:
        return (await place.hub.api("DELETE", f"users/{user}")).status_code in (204, 404)

    await eventually(is_deleted, what="the user to be deleted", within_seconds=30)
    session = Session(user, "", {})
    assert place.processes(session) == []
    assert not place.session(session).path.exists()


async def test_nobody_can_log_in(place: Place) -> None:
    url = f"{place.stack.hub.public_url}/hub/login"
    answer = await place.hub.client.post(url, data={"username": "x", "password": "x"})
    assert answer.status_code in (403, 404)
    anonymous = await place.hub.client.get(f"{place.stack.hub.api_url}/users")
    assert anonymous.status_code == 403


async def test_everything_listens_on_loopback_only(place: Place) -> None:
    session = await place.hub.launch(place.image.reference)
    held = hold_marked_processes(OWNER_MARK, str(place.folders.root))
    addresses = set()
    for process in held:
        process.release()
    for living_process in living(process.pid for process in held):
        with contextlib.suppress(psutil.NoSuchProcess):
            for connection in living_process.net_connections(kind="tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    addresses.add(connection.laddr.ip)
    assert addresses == {"127.0.0.1"}
    await place.hub.stop(session)


async def test_checks_are_well(place: Place) -> None:
    checks = await place.stack.checks()
    assert [check.service for check in checks] == [
        "JupyterHub API",
        "Proxy",
        "Disk",
        "Base environment",
    ]
    assert all(check.ok for check in checks), checks


def in_session(place: Place, session: Session, *command: str) -> str:
    """What a command prints that somebody runs in the session's terminal."""
    variables = place.server(session).environ()
    done = subprocess.run(
        ["/usr/bin/env", *command],
        env=variables,
        cwd=place.session(session).files,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_site_packages(place: Place) -> Path:
    record = place.folders.image(place.image.reference).record
    return Path(json.loads(record.read_text())["site_packages"])


def living(pids: Iterable[int]) -> list[psutil.Process]:
    """Those of the processes that have not ended meanwhile."""
    found = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(pid))
    return found


def command_of(process: psutil.Process) -> list[str]:
    """Its command line; nothing when it has ended meanwhile."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that ended may wait for whoever adopted it to notice."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def files_below(folder: Path) -> set[str]:
    return {f"{root}/{name}" for root, _, names in os.walk(folder) for name in names}
