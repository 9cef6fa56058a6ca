"""compose.yaml on a real engine: from make-secrets to a visitor's server, watched by Prometheus."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from binder_federation.binder.events import Phase
from tests.live.traffic import Traffic
from tests.support.compose_project import (
    ComposeProject,
    prometheus_image,
    valkey_image,
)
from tests.support.eventually import eventually
from tests.support.git_server import GitServer
from tests.support.launch_checks import run_code_at
from tests.support.notebooks import notebook_files
from tests.support.project_image import project_image
from tests.support.running_up import git_path
from tests.support.site import host_address

pytestmark = pytest.mark.asyncio(loop_scope="module")
LAUNCH_SECONDS = 400.0


@pytest.fixture(scope="module", autouse=True)
def compose(docker_engine: str) -> None:
    """Skips where the plugin is missing."""
    asked = subprocess.run(
        [docker_engine, "compose", "version"], capture_output=True, timeout=60, check=False
    )
    if asked.returncode != 0:
        pytest.skip("needs Docker's plugin compose")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def git(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GitServer]:
    """A git server that the containers reach."""
    async with GitServer(tmp_path_factory.mktemp("git"), host=host_address()) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def project(
    git: GitServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ComposeProject]:
    project = ComposeProject(tmp_path_factory.mktemp("compose"))
    project.make_secrets()
    project.use_free_ports()
    image = await asyncio.to_thread(project_image)
    project.choose(
        BINDERFED_IMAGE=image,
        MEMBER_IMAGE=image,
        FEDERATION_LISTEN=f"127.0.0.1:{project.port}",
        PROMETHEUS_PORT=str(project.prometheus_port),
    )
    images = {"VALKEY_IMAGE": await asyncio.to_thread(valkey_image),
              "PROMETHEUS_IMAGE": await asyncio.to_thread(prometheus_image)}  # fmt: skip
    project.choose(**{name: value for name, value in images.items() if value})
    trusted = f'["{git.url}"]'
    project.override(
        {
            "federation": {"environment": {"BINDERFED_PROVIDERS__TRUSTED_PREFIXES": trusted}},
            "member": {"environment": {"BINDERFED_AGENT_PROVIDERS__TRUSTED_PREFIXES": trusted}},
        }
    )
    started = project.started("federation", "member", "prometheus")
    await asyncio.to_thread(started.__enter__)
    try:
        yield project
    finally:
        await asyncio.to_thread(started.__exit__, None, None, None)


async def test_a_visitor_gets_a_server(
    project: ComposeProject, git: GitServer, base_image: str
) -> None:
    repository = f"{git.url}/{git.create('compose', notebook_files(base_image)).path.name}"
    traffic = Traffic(f"http://127.0.0.1:{project.port}", per_second=1.0)
    try:
        (visit,) = await asyncio.wait_for(traffic.once_each([git_path(repository)]), LAUNCH_SECONDS)
    finally:
        await traffic.aclose()

    last = visit.events[-1]
    assert last.phase == Phase.READY, f"{visit.describe()}\n{project.log()}"
    url, token = str(last.fields["url"]), str(last.fields["token"])
    assert await run_code_at(url, token, "print(6 * 7)") == "42\n"


async def test_prometheus_reads_both_services_and_the_rules(project: ComposeProject) -> None:
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{project.prometheus_port}", timeout=20
    ) as client:

        async def are_up() -> bool:
            answer = (await client.get("/api/v1/targets")).json()["data"]["activeTargets"]
            return {each["labels"]["job"] for each in answer if each["health"] == "up"} == {
                "binder-federation", "binder-agent", "prometheus",
            }  # fmt: skip

        await eventually(are_up, what="all targets to be up", within_seconds=90)
        groups = (await client.get("/api/v1/rules")).json()["data"]["groups"]
    assert groups, "the chart's rules are not there"


async def test_a_second_start_changes_nothing(project: ComposeProject) -> None:
    before = project.call("ps", "--quiet")
    said = project.make_secrets()

    project.call("up", "--detach", "--wait", "federation", "member", "prometheus")

    assert "is there already" in said
    assert project.call("ps", "--quiet") == before


async def test_the_containers_have_no_rights_that_they_do_not_need(
    project: ComposeProject,
) -> None:
    for name in ("federation", "valkey", "prometheus"):
        status = project.call(
            "exec", "--no-TTY", name, "grep", "-E", "^(Uid|CapEff)", "/proc/1/status"
        )
        uid, capabilities = (line.split()[1] for line in status.splitlines())
        assert int(uid) > 0, f"{name} is root"
        assert int(capabilities, 16) == 0, f"{name} has capabilities"


async def test_nothing_secret_is_left_for_others(project: ComposeProject) -> None:
    folder = project.folder / "deploy/compose/secrets"

    assert {path.stat().st_mode & 0o077 for path in [folder, *folder.iterdir()]} == {0}
    assert (project.folder / ".env").stat().st_mode & 0o077 == 0


async def test_the_plain_file_has_everything(tmp_path: Path) -> None:
    project = ComposeProject(tmp_path)
    project.make_secrets()

    services = project.call("config", "--services").split()

    assert sorted(services) == ["federation", "grafana", "member", "prometheus", "valkey"]
