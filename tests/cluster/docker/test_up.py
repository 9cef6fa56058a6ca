"""`binderfed up --stack docker`: from the command to a cell's output, and away again."""

import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from binder_federation.binder.events import Phase
from binder_federation.cluster_agent.stacks.docker.labels import OWNER_LABEL
from tests.support.browser import browser, watched_page
from tests.support.git_repositories import make_repository
from tests.support.launch_checks import answers
from tests.support.notebooks import GREETING, jupyterlab_errors, notebook_files, run_first_cell
from tests.support.ports import free_port
from tests.support.running_up import (
    RunningUp,
    git_path,
    processes_that_mention,
    running_up,
)

__all__ = ["browser"]
pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass
class Place:
    """A running federation of two members on one engine."""

    up: RunningUp
    repositories: Path
    base_image: str

    def repository(self, name: str, *, more: str = "") -> str:
        files = notebook_files(self.base_image, name=name, more=more)
        return git_path(make_repository(self.repositories / name, files).file_url)

    async def drain(self, member: str, *, ends: bool = False) -> None:
        """As the member's institution does it."""
        settings = self.up.state_dir / "members" / member / "agent.yaml"
        command = ["undrain" if ends else "drain", "--config", str(settings)]
        subprocess.run(
            [sys.executable, "-m", "binder_federation.cluster_agent.cli", *command],
            check=True, timeout=30,
        )  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(
    docker_engine: str, base_image: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Place]:
    folder = tmp_path_factory.mktemp("docker")
    state_dir, repositories = folder / "state", folder / "repositories"
    repositories.mkdir()
    command = [
        *(sys.executable, "-m", "binder_federation.federation.cli.main", "up"),
        "--stack=docker",
        f"--port={free_port()}",
        f"--state-dir={state_dir}",
        f"--trust={repositories.as_uri()}/",
    ]
    async with running_up(command, cwd=folder, state_dir=state_dir) as up:
        yield Place(up, repositories, base_image)
    assert processes_that_mention(str(state_dir)) == []
    assert containers_of(state_dir) == [], "Ctrl-C leaves no container"


def containers_of(state_dir: Path) -> list[str]:
    """Containers of members below this state folder."""
    shown = f'{{{{.Names}}}} {{{{.Label "{OWNER_LABEL}"}}}}'
    told = subprocess.run(
        ["docker", "ps", "--all", "--filter", f"label={OWNER_LABEL}", "--format", shown],
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    return [line for line in told.stdout.splitlines() if str(state_dir) in line]


async def test_a_visitor_opens_a_notebook_and_runs_a_cell(place: Place, browser: Browser) -> None:
    path = place.repository("browser")
    errors = jupyterlab_errors()
    async with watched_page(browser, errors=errors) as page:
        await page.goto(f"{place.up.url}/v2/{path}?labpath=index.ipynb")
        await page.get_by_text("Build log").click()
        assert await run_first_cell(page) == GREETING


async def test_a_drained_members_visitors_go_elsewhere_and_come_back(place: Place) -> None:
    path = place.repository("drained")
    first = await place.up.launch(path)
    home = str(first.last.fields["member"])
    await place.drain(home)
    try:
        elsewhere = await place.up.launch(path)
        still = await answers(first)
    finally:
        await place.drain(home, ends=True)
    other = str(elsewhere.last.fields["member"])
    await place.drain(other)
    try:
        again = await place.up.launch(path)
    finally:
        await place.drain(other, ends=True)

    assert first.last.phase is elsewhere.last.phase is again.last.phase is Phase.READY, again.text
    assert other != home
    assert still, "who was there stays"
    assert again.last.fields["member"] == home
    assert Phase.BUILDING not in again.phases(), "the image is still there"
    assert await answers(again)


async def test_a_dockerfile_that_fails_is_the_repositorys_fault(place: Place) -> None:
    path = place.repository("broken", more="RUN echo before-the-fault && exit 7\n")
    seen = await place.up.launch(path)

    assert seen.last.phase is Phase.FAILED
    assert seen.last.fields["fault"] == "repository", seen.last
    assert seen.last.fields["attempt"] == 1
    assert "before-the-fault" in seen.text
