"""The helpers behave like what they stand for; the other tests lean on that."""

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.support.fake_github import FakeGitHub
from tests.support.git_repositories import make_repository
from tests.support.git_server import GitServer


async def _git(*arguments: str, cwd: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        "git",
        *arguments,
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode is not None
    return process.returncode, output.decode()


def test_same_files_give_the_same_commit(tmp_path: Path) -> None:
    one = make_repository(tmp_path / "one" / "a", {"x": "1"})
    two = make_repository(tmp_path / "two" / "a", {"x": "1"})
    assert one.head() == two.head()


@pytest.mark.parametrize("suffix", ["", ".git"])
async def test_git_clones_from_the_server(tmp_path: Path, suffix: str) -> None:
    async with GitServer(tmp_path / "served") as server:
        repository = server.create("owner/name", {"hello.txt": "hello\n"})
        url = f"{server.url}/owner/name{suffix}"
        code, output = await _git("clone", "-q", url, "copy", cwd=tmp_path)
        assert code == 0, output
        assert (tmp_path / "copy" / "hello.txt").read_text() == "hello\n"
        code, output = await _git("rev-parse", "HEAD", cwd=tmp_path / "copy")
        assert output.strip() == repository.head()


async def test_github_answers_like_github(tmp_path: Path) -> None:
    async with FakeGitHub(tmp_path) as github, httpx.AsyncClient() as client:
        repository = github.create("ada/engine")
        slashed = repository.branch("feature/x", {"x": "1"})
        base = f"{github.api_url}/repos/ada"
        first = await client.get(f"{base}/engine/commits/feature%2Fx")
        assert (first.status_code, first.json()["sha"]) == (200, slashed)
        left = github.quota
        again = await client.get(
            f"{base}/engine/commits/feature%2Fx", headers={"If-None-Match": first.headers["ETag"]}
        )
        assert (again.status_code, github.quota) == (304, left)
        assert (await client.get(f"{base}/none/commits/main")).status_code == 404
        assert (await client.get(f"{base}/engine/commits/none")).status_code == 422
        github.create("ada/empty", {})
        assert (await client.get(f"{base}/empty/commits/main")).status_code == 409
