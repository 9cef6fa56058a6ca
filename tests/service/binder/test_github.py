"""Provider `gh` against a server that behaves like GitHub."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from binder_federation.binder.providers import ProviderMetrics, make_providers
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
from binder_federation.config.providers import GitHubSettings, ProviderSettings
from tests.support.fake_github import FakeGitHub

Make = Callable[..., RepoProvider]


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def make(github: FakeGitHub, client: httpx.AsyncClient, registry: CollectorRegistry) -> Make:
    """Makes the provider for the server, with further settings."""

    def make_provider(timeout_seconds: float = 5.0, **github_settings: object) -> RepoProvider:
        settings = GitHubSettings.model_validate(
            {"url": github.url, "api_url": github.api_url, **github_settings}
        )
        return make_providers(
            ProviderSettings(github=settings, timeout_seconds=timeout_seconds),
            client,
            metrics=ProviderMetrics.make(registry),
        )["gh"]

    return make_provider


def at(ref: str, repository: str = "ada/engine") -> LaunchSpec:
    return LaunchSpec("gh", repository, ref)


async def test_refs_of_every_kind(github: FakeGitHub, make: Make) -> None:
    repository = github.create("ada/engine")
    first = repository.tag("v1", annotated=True)
    repository.tag("light")
    slashed = repository.branch("feature/x", {"x": "1"})
    head = repository.commit({"y": "2"})
    gh = make()
    for ref, commit in [
        ("HEAD", head),
        ("main", head),
        ("v1", first),
        ("light", first),
        ("feature/x", slashed),
        (slashed[:9], slashed),
    ]:
        resolved = await gh.resolve(at(ref), None)
        assert isinstance(resolved, Resolved), (ref, resolved)
        assert (ref, resolved.resolved_ref) == (ref, commit)
        assert resolved.etag


async def test_a_full_commit_id_asks_nobody(github: FakeGitHub, make: Make) -> None:
    assert await make().resolve(at("A" * 40), None) == Resolved("a" * 40)
    assert github.requests == []


async def test_asking_again_costs_nothing_until_it_changes(github: FakeGitHub, make: Make) -> None:
    repository = github.create("ada/engine")
    gh = make()
    known = await gh.resolve(at("main"), None)
    assert isinstance(known, Resolved)
    left = github.quota
    assert await gh.resolve(at("main"), known) == Unchanged()
    assert github.quota == left
    commit = repository.commit({"x": "1"})
    changed = await gh.resolve(at("main"), known)
    assert isinstance(changed, Resolved)
    assert changed.resolved_ref == commit


async def test_what_is_missing_is_told_apart(github: FakeGitHub, make: Make) -> None:
    github.create("ada/engine")
    github.create("ada/empty", {})
    gh = make()
    no_repository = await gh.resolve(at("main", "ada/none"), None)
    assert no_repository == Missing(
        "repository", "GitHub has no repository ada/none, or it is private."
    )
    assert await gh.resolve(at("none"), None) == Missing(
        "ref", "ada/engine has no branch, tag or commit none."
    )
    empty = await gh.resolve(at("main", "ada/empty"), None)
    assert isinstance(empty, Missing)
    assert (empty.what, "empty" in empty.message) == ("ref", True)


async def test_a_404_for_a_ref_of_a_repository_that_is_there(
    github: FakeGitHub, make: Make
) -> None:
    github.create("ada/engine")
    github.fail_next(status=404)
    missing = await make().resolve(at("main"), None)
    assert isinstance(missing, Missing)
    assert missing.what == "ref"
    assert [request.path for request in github.requests] == [
        "/repos/ada/engine/commits/main",
        "/repos/ada/engine",
    ]


async def test_a_renamed_repository_is_followed(github: FakeGitHub, make: Make) -> None:
    commit = github.create("ada/engine").head()
    github.rename("ada/engine", "ada/difference-engine")
    resolved = await make().resolve(at("main"), None)
    assert isinstance(resolved, Resolved)
    assert resolved.resolved_ref == commit


async def test_our_credentials_go_to_no_other_host(
    github: FakeGitHub, make: Make, tmp_path: Path
) -> None:
    async with FakeGitHub(tmp_path / "other") as other:
        other.create("ada/engine")
        github.redirect_api("ada/engine", f"{other.api_url}/repos/ada/engine")
        result = await make(token=SecretStr("s3cret")).resolve(at("main"), None)
        assert isinstance(result, Unavailable)
        assert other.requests == []


async def test_the_token_is_sent(github: FakeGitHub, make: Make) -> None:
    github.create("ada/engine")
    github.token = "s3cret"
    assert isinstance(await make(token=SecretStr("s3cret")).resolve(at("main"), None), Resolved)
    assert github.requests[-1].headers["Authorization"] == "Bearer s3cret"


async def test_the_client_id_and_secret_are_sent(github: FakeGitHub, make: Make) -> None:
    github.create("ada/engine")
    github.client = ("id", "s3cret")
    gh = make(client_id="id", client_secret=SecretStr("s3cret"))
    assert isinstance(await gh.resolve(at("main"), None), Resolved)
    assert github.requests[-1].headers["Authorization"].startswith("Basic ")


async def test_wrong_credentials_are_our_fault(github: FakeGitHub, make: Make) -> None:
    github.create("ada/engine")
    github.token = "right"
    result = await make(token=SecretStr("wrong")).resolve(at("main"), None)
    assert result == Unavailable("GitHub does not accept the credentials of this service.")


async def test_no_quota_left_says_until_when(
    github: FakeGitHub, make: Make, registry: CollectorRegistry
) -> None:
    github.create("ada/engine")
    github.quota = 1
    gh = make()
    assert isinstance(await gh.resolve(at("main"), None), Resolved)
    assert (
        registry.get_sample_value("binderfed_provider_rate_limit_remaining", {"provider": "gh"})
        == 0
    )
    limited = await gh.resolve(at("HEAD"), None)
    assert isinstance(limited, Unavailable)
    assert "takes no more requests" in limited.message
    assert limited.retry_after_seconds == pytest.approx(1800, abs=5)


async def test_a_secondary_limit_says_how_long(github: FakeGitHub, make: Make) -> None:
    github.create("ada/engine")
    github.limit_next(retry_after_seconds=90)
    limited = await make().resolve(at("main"), None)
    assert isinstance(limited, Unavailable)
    assert limited.retry_after_seconds == 90


async def test_a_limit_that_tells_nothing_is_a_minute(github: FakeGitHub, make: Make) -> None:
    github.fail_next(status=429)
    limited = await make().resolve(at("main"), None)
    assert isinstance(limited, Unavailable)
    assert limited.retry_after_seconds == 60


async def test_blocked_is_not_ours_to_launch(github: FakeGitHub, make: Make) -> None:
    github.fail_next(status=451)
    blocked = await make().resolve(at("main"), None)
    assert blocked == Missing("repository", "GitHub does not give access to ada/engine.")


async def test_a_passing_failure_is_tried_again(github: FakeGitHub, make: Make) -> None:
    github.create("ada/engine")
    github.fail_next(2, status=502)
    assert isinstance(await make().resolve(at("main"), None), Resolved)
    assert len(github.requests) == 3


async def test_a_lasting_failure_is_not(github: FakeGitHub, make: Make) -> None:
    github.fail_next(10, status=503)
    assert await make().resolve(at("main"), None) == Unavailable("GitHub does not answer now.")
    assert len(github.requests) == 3


async def test_an_answer_that_makes_no_sense(github: FakeGitHub, make: Make) -> None:
    github.fail_next(status=200)
    result = await make().resolve(at("main"), None)
    assert isinstance(result, Unavailable)
    assert "cannot be understood" in result.message


async def test_silence_has_a_deadline(github: FakeGitHub, make: Make) -> None:
    github.hang()
    result = await make(timeout_seconds=0.2).resolve(at("main"), None)
    assert result == Unavailable("GitHub did not answer within 0.2 seconds.")


async def test_nobody_there(make: Make, unused_tcp_port: int) -> None:
    gh = make(api_url=f"http://127.0.0.1:{unused_tcp_port}")
    assert await gh.resolve(at("main"), None) == Unavailable("GitHub does not answer now.")


async def test_the_source_is_cloned_with_the_token_out_of_sight(
    github: FakeGitHub, make: Make, tmp_path: Path
) -> None:
    commit = github.create("ada/engine").head()
    github.rename("ada/engine", "ada/difference")
    github.git.credentials = ("x-access-token", "s3cret")
    source = await make(token=SecretStr("s3cret")).source(at("main"))
    assert isinstance(source, GitSource)
    assert "s3cret" not in source.url + repr(source) + repr(source.config)
    target = tmp_path / "clone"
    arguments = ["clone", "-q", source.url, str(target)]
    result = await run_git(arguments, source=source, deadline_seconds=20)
    assert result.is_ok, result.errors
    head = await run_git(["rev-parse", "HEAD"], cwd=target, deadline_seconds=5)
    assert head.output.strip() == commit


def test_addresses_for_people(make: Make, github: FakeGitHub) -> None:
    gh = make()
    assert gh.repository_url(at("main")) == f"{github.url}/ada/engine"
    assert gh.ref_url(at("main"), "abc") == f"{github.url}/ada/engine/tree/abc"
