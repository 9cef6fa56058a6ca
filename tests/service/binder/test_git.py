"""Provider `git` against real git hosts: which commit, and what is wrong when there is none."""

import os
from pathlib import Path

import httpx
import pytest

from binder_federation.binder.errors import SpecBanned
from binder_federation.binder.providers import make_providers
from binder_federation.binder.providers.base import (
    GitSource,
    Missing,
    RepoProvider,
    Resolved,
    Unavailable,
    Unchanged,
)
from binder_federation.binder.providers.git_commands import run_git
from binder_federation.binder.spec import LaunchSpec
from binder_federation.config.providers import ProviderSettings
from tests.support.git_repositories import GitRepository, make_repository
from tests.support.git_server import GitServer


@pytest.fixture
def git(client: httpx.AsyncClient) -> RepoProvider:
    """The provider, where private addresses are allowed."""
    settings = ProviderSettings(allow_private_addresses=True, timeout_seconds=5)
    return make_providers(settings, client)["git"]


@pytest.fixture
async def repository(git_server: GitServer) -> GitRepository:
    """One that the server serves at `/team/a`."""
    return git_server.create("team/a")


def at(server: GitServer, ref: str, name: str = "team/a") -> LaunchSpec:
    return LaunchSpec("git", f"{server.url}/{name}", ref)


async def test_refs_of_every_kind(
    git: RepoProvider, git_server: GitServer, repository: GitRepository
) -> None:
    first = repository.tag("v1", annotated=True)
    repository.tag("light")
    slashed = repository.branch("feature/main", {"x": "1"})
    repository.git("update-ref", "refs/pull/7/head", slashed)
    head = repository.commit({"y": "2"})
    for ref, commit in [
        ("HEAD", head),
        ("main", head),
        ("refs/heads/main", head),
        ("v1", first),
        ("refs/tags/v1", first),
        ("tags/v1", first),
        ("light", first),
        ("feature/main", slashed),
        ("pull/7/head", slashed),
    ]:
        assert (ref, await git.resolve(at(git_server, ref), None)) == (ref, Resolved(commit))


async def test_a_branch_comes_before_a_tag_of_its_name(
    git: RepoProvider, git_server: GitServer, repository: GitRepository
) -> None:
    repository.tag("both", annotated=True)
    branch = repository.branch("both", {"x": "1"})
    assert await git.resolve(at(git_server, "both"), None) == Resolved(branch)


async def test_head_follows_the_default_branch(git: RepoProvider, git_server: GitServer) -> None:
    repository = git_server.create("trunk", branch="trunk")
    spec = at(git_server, "HEAD", "trunk")
    assert await git.resolve(spec, None) == Resolved(repository.head())


async def test_unchanged(
    git: RepoProvider, git_server: GitServer, repository: GitRepository
) -> None:
    known = Resolved(repository.head())
    assert await git.resolve(at(git_server, "main"), known) == Unchanged()
    commit = repository.commit({"x": "1"})
    assert await git.resolve(at(git_server, "main"), known) == Resolved(commit)


async def test_a_full_commit_id_asks_nobody(git: RepoProvider, git_server: GitServer) -> None:
    assert await git.resolve(at(git_server, "A" * 40), None) == Resolved("a" * 40)
    assert git_server.requests == []


@pytest.mark.parametrize(
    "url", ["file:///etc", "http://127.0.0.1/a", "ssh://git@[::1]/a", "git@10.0.0.1:a"]
)
async def test_a_commit_id_is_no_way_around_the_rules(client: httpx.AsyncClient, url: str) -> None:
    git = make_providers(ProviderSettings(), client)["git"]
    with pytest.raises(SpecBanned):
        await git.resolve(LaunchSpec("git", url, "a" * 40), None)


async def test_what_is_missing_is_told_apart(
    git: RepoProvider, git_server: GitServer, repository: GitRepository
) -> None:
    git_server.create("empty", {})
    assert await git.resolve(at(git_server, "none"), None) == Missing(
        "ref", "The repository has no branch or tag none."
    )
    short = await git.resolve(at(git_server, repository.head()[:8]), None)
    assert isinstance(short, Missing)
    assert "full id" in short.message
    assert await git.resolve(at(git_server, "HEAD", "empty"), None) == Missing(
        "ref", "The repository is empty: it has no commit yet."
    )
    assert await git.resolve(at(git_server, "main", "none"), None) == Missing(
        "repository", f"There is no git repository at {git_server.url}/none."
    )


async def test_a_private_repository(
    git: RepoProvider, git_server: GitServer, repository: GitRepository
) -> None:
    git_server.credentials = ("ada", "s3cret")
    assert await git.resolve(at(git_server, "main"), None) == Missing(
        "repository", f"There is no repository at {git_server.url}/team/a, or it is private."
    )


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_host_in_trouble(
    git: RepoProvider, git_server: GitServer, repository: GitRepository, status: int
) -> None:
    git_server.fail_next(5, status=status)
    assert await git.resolve(at(git_server, "main"), None) == Unavailable(
        "The repository's host does not answer now."
    )


async def test_a_web_page_is_no_repository(git: RepoProvider, git_server: GitServer) -> None:
    git_server.fail_next(5, status=200)
    result = await git.resolve(at(git_server, "main"), None)
    assert isinstance(result, Missing)
    assert result.what == "repository"


async def test_nobody_there(git: RepoProvider, unused_tcp_port: int) -> None:
    spec = LaunchSpec("git", f"http://127.0.0.1:{unused_tcp_port}/a", "main")
    assert isinstance(await git.resolve(spec, None), Unavailable)


async def test_silence_has_a_deadline(client: httpx.AsyncClient, git_server: GitServer) -> None:
    git_server.hang()
    settings = ProviderSettings(allow_private_addresses=True, timeout_seconds=0.3)
    git = make_providers(settings, client)["git"]
    assert await git.resolve(at(git_server, "main"), None) == Unavailable(
        "127.0.0.1 did not answer within 0.3 seconds."
    )


async def test_a_local_path_is_banned_unless_trusted(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    commit = make_repository(tmp_path / "examples" / "a").head()
    make_repository(tmp_path / "secret")
    trusting = ProviderSettings(trusted_prefixes=(f"file://{tmp_path}/examples/",))
    for settings, name, is_allowed in [
        (ProviderSettings(), "examples/a", False),
        (trusting, "examples/a", True),
        (trusting, "secret", False),
        (trusting, "examples/../secret", False),
    ]:
        git = make_providers(settings, client)["git"]
        spec = git.parse(f"{str(tmp_path / name).replace('/', '%2F')}/main")
        if is_allowed:
            assert await git.resolve(spec, None) == Resolved(commit)
        else:
            with pytest.raises(SpecBanned, match="file://"):
                await git.resolve(spec, None)
            with pytest.raises(SpecBanned, match="file://"):
                await git.source(spec)


async def test_a_trusted_repository_may_belong_to_another_user(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    repository = make_repository(tmp_path / "a")
    if os.geteuid() == 0:  # others cannot give their files away, and test the usual case
        for path in (repository.path, repository.path / ".git"):
            os.chown(path, 65534, 65534)
    settings = ProviderSettings(trusted_prefixes=(f"file://{tmp_path}/",))
    git = make_providers(settings, client)["git"]
    resolved = await git.resolve(LaunchSpec("git", repository.file_url, "main"), None)
    assert isinstance(resolved, Resolved), resolved


async def test_the_source_is_cloned(
    git: RepoProvider, git_server: GitServer, repository: GitRepository, tmp_path: Path
) -> None:
    git_server.redirect("/team/old", f"{git_server.url}/team/a")
    source = await git.source(at(git_server, "main", "team/old"))
    assert isinstance(source, GitSource)
    target = tmp_path / "clone"
    arguments = ["clone", "-q", source.url, str(target)]
    result = await run_git(arguments, source=source, deadline_seconds=20)
    assert result.is_ok, result.errors
    assert (target / "README.md").is_file()
