"""One federation on this machine, launched from in many ways: real git, uv, hub and proxy."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from binder_federation.binder.events import Phase
from tests.support.eventually import eventually
from tests.support.fake_github import FakeGitHub
from tests.support.git_repositories import GitRepository, make_repository
from tests.support.launch_checks import answers
from tests.support.ports import free_port
from tests.support.running_up import (
    RunningUp,
    StreamSeen,
    git_path,
    processes_that_mention,
    running_up,
)

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

SLOW_POST_BUILD = """#!/bin/sh
echo "waiting for the test"
while [ ! -e {flag} ]; do sleep 0.1; done
"""


@dataclass
class Place:
    """A running federation and a folder in which it may find repositories."""

    up: RunningUp
    repositories: Path
    github: FakeGitHub

    def repository(self, name: str, files: dict[str, str] | None = None) -> GitRepository:
        return make_repository(self.repositories / name, files)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    """A federation for the tests of this file; it must leave nothing behind."""
    folder = tmp_path_factory.mktemp("federation")
    state_dir, repositories = folder / "state", folder / "repositories"
    temporary = folder / "tmp"
    repositories.mkdir()
    temporary.mkdir()
    command = [
        sys.executable,
        "-m",
        "binder_federation.federation.cli.main",
        "up",
        f"--port={free_port()}",
        f"--state-dir={state_dir}",
        f"--trust={repositories.as_uri()}/",
        "--restart-seconds=8",
    ]
    environment = {"TMPDIR": str(temporary)}
    async with FakeGitHub(folder / "github") as github:
        urls = {"url": github.url, "api_url": github.api_url}
        more = folder / "more.yaml"
        more.write_text(yaml.safe_dump({"providers": {"github": urls}}))
        async with running_up(
            [*command, f"--config={more}"],
            cwd=folder,
            state_dir=state_dir,
            environment=environment,
        ) as up:
            yield Place(up, repositories, github)
    assert processes_that_mention(str(state_dir)) == []
    left = [
        *state_dir.glob("members/*/state/sessions/*"),
        *state_dir.glob("members/*/state/building/*"),
    ]
    left += temporary.iterdir()
    assert left == [], "sessions, half-made images and temporary files are gone"


async def test_the_second_launch_needs_no_build_and_goes_to_the_same_member(place: Place) -> None:
    path = git_path(place.repository("twice").file_url)

    first = await place.up.launch(path)
    second = await place.up.launch(path)

    assert first.last.phase is second.last.phase is Phase.READY, second.text
    assert Phase.BUILDING in first.phases()
    assert Phase.BUILDING not in second.phases()
    assert second.last.fields["member"] == first.last.fields["member"]
    assert "Found built image" in second.text
    assert await answers(second), "the server itself answers with its token"


async def test_a_branch_on_github_is_looked_up_once_and_launched(place: Place) -> None:
    repository = place.github.create("ada/analysis", {"requirements.txt": "six\n"})
    commit = repository.branch("feature/plots", {"plot.py": "x = 1\n"})
    asked_before = len(place.github.requests)

    seen = await place.up.launch("gh/ada/analysis/feature/plots")
    again = await place.up.launch("gh/ada/analysis.git/feature%2Fplots")

    assert seen.last.phase is again.last.phase is Phase.READY, again.text
    assert commit in seen.last.fields["binder_persistent_request"]
    assert seen.last.fields["binder_request"] == "v2/gh/ada/analysis/feature/plots"
    assert again.last.fields["member"] == seen.last.fields["member"], "the same image"
    assert len(place.github.requests) - asked_before == 1, "members are handed the commit"


@pytest.mark.parametrize("moment", ["building", "launching"])
async def test_an_agent_killed_in_the_middle_is_replaced_in_the_same_stream(
    place: Place, tmp_path: Path, moment: str
) -> None:
    flag = tmp_path / "go-on"
    files = {"README.md": "slow\n"}
    if moment == "building":
        files["postBuild"] = SLOW_POST_BUILD.format(flag=flag)
    path = git_path(place.repository(f"killed-{moment}", files).file_url)
    await all_up(place)
    seen = StreamSeen()

    async with asyncio.timeout(180):
        killed = ""
        async for event in place.up.follow(path, seen):
            arrived = event.phase is Phase(moment) and (
                moment == "launching" or "waiting for the test" in event.message
            )
            if arrived and not killed:
                killed = str(event.fields["member"])
                os.kill(place.up.agent_pid(killed), signal.SIGKILL)
                flag.touch()

    assert killed, seen.text
    assert seen.last.phase is Phase.READY, seen.text
    assert seen.last.fields["member"] != killed
    lines = [event.message for event in seen.events if event.fields.get("failover")]
    assert len(lines) == 1, "one line tells of it"
    assert killed in lines[0]
    assert await answers(seen)
    await gets_nothing_while_down_and_some_again(place, killed)


async def gets_nothing_while_down_and_some_again(place: Place, name: str) -> None:
    async def is_down() -> bool:
        return str((await place.up.members())[name]["state"]) == "down"

    await eventually(is_down, what=f"{name} to be down", within_seconds=30)
    meanwhile = await place.up.launch(
        git_path(place.repository(f"while-{name}-{os.urandom(3).hex()}").file_url)
    )
    assert meanwhile.last.phase is Phase.READY, meanwhile.text
    assert meanwhile.last.fields["member"] != name
    assert meanwhile.last.fields["attempt"] == 1
    await all_up(place)


async def all_up(place: Place) -> None:
    async def are_up() -> bool:
        members = await place.up.members()
        return all(m["state"] in ("up", "recovering") and m["load"] for m in members.values())

    await eventually(are_up, what="every member to be back", within_seconds=120)


async def test_fifty_visitors_of_a_new_repository_cause_one_build(
    place: Place, tmp_path: Path
) -> None:
    builds = tmp_path / "builds"
    script = f"#!/bin/sh\necho one >> {builds}\n"
    path = git_path(place.repository("popular", {"postBuild": script}).file_url)
    await all_up(place)

    seen = await asyncio.gather(*(place.up.launch(path, seconds=240) for _ in range(50)))

    ended = [one.last for one in seen]
    ready = [event for event in ended if event.phase is Phase.READY]
    refused = [event for event in ended if event.fields.get("code") == "pod_quota"]
    assert len(ready) + len(refused) == 50, [e.message for e in ended if e not in ready]
    assert len({event.fields["url"] for event in ready}) == len(ready)
    assert builds.read_text().split() == ["one"], "one build for all"


async def test_a_requirement_that_does_not_exist_is_the_repositorys_fault(place: Place) -> None:
    name = "binder-federation-has-no-such-package"
    files = {"requirements.txt": f"{name}==1.0\n"}
    path = git_path(place.repository("nosuch", files).file_url)

    seen = await place.up.launch(path)

    assert seen.last.phase is Phase.FAILED
    assert seen.last.fields["fault"] == "repository"
    assert seen.last.fields["attempt"] == 1
    assert name in seen.text


async def test_what_the_local_stack_cannot_build_is_named(place: Place) -> None:
    path = git_path(place.repository("docker", {"Dockerfile": "FROM scratch\n"}).file_url)

    seen = await place.up.launch(path)

    assert seen.last.fields["code"] == "unsupported_repository", seen.last
    assert "Dockerfile" in seen.last.message


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("git/file%3A%2F%2F%2Fetc/HEAD", 403),
        ("git/http%3A%2F%2F127.0.0.1%3A9%2Fx.git/HEAD", 403),
        ("git/http%3A%2F%2Flocalhost%2Fx.git/HEAD", 403),
        ("git/http%3A%2F%2F%5B%3A%3A1%5D%2Fx.git/HEAD", 403),
        ("git/http%3A%2F%2F2130706433%2Fx.git/HEAD", 400),
    ],
)
async def test_inner_addresses_are_refused(place: Place, path: str, status: int) -> None:
    seen = await place.up.launch(path)

    assert seen.last.phase is Phase.FAILED
    assert seen.last.fields["status_code"] == status, seen.last


async def test_missing_repositories_and_refs_are_told(place: Place) -> None:
    repository = place.repository("there")
    missing_ref = await place.up.launch(git_path(repository.file_url, "no-such-branch"))
    missing = await place.up.launch(git_path(f"{repository.file_url}-not"))

    assert (missing_ref.last.fields["code"], missing_ref.last.fields["status_code"]) == (
        "ref_not_found",
        404,
    )
    assert missing.last.fields["code"] == "repository_not_found"


async def test_a_visitor_who_leaves_in_the_middle_harms_nobody(place: Place) -> None:
    repository = place.repository("left", {"requirements.txt": "six\n"})
    path = git_path(repository.file_url)
    async for event in place.up.follow(path, StreamSeen()):
        if event.phase is Phase.BUILDING:
            break

    async def is_settled() -> bool:
        loads = [member["load"] for member in (await place.up.members()).values()]
        return all(load["pending"] == load["building"] == 0 for load in loads)

    await eventually(is_settled, what="nothing to be pending", within_seconds=60)
    next_visitor = await place.up.launch(path)
    assert next_visitor.last.phase is Phase.READY
    assert Phase.BUILDING not in next_visitor.phases(), "the build went on without its watcher"
