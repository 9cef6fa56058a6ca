"""Provider `gh` against a server that behaves like GitHub."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from binder_federation.binder.providers import ProviderMetrics, make_providers
from binder_federation.binder.providers.base import (
    Missing,
    RepoProvider,
    Resolved,
    Unavailable,
    Unchanged,
)
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


async def test_a_limit_that_tells_nothing_is_a_minute(github: FakeGitHub, make: Make) -> None:
    github.fail_next(status=429)
    limited = await make().resolve(at("main"), None)
    assert isinstance(limited, Unavailable)
    assert limited.retry_after_seconds == 60


async def test_blocked_is_not_ours_to_launch(github: FakeGitHub, make: Make) -> None:
    github.fail_next(status=451)
    blocked = await make().resolve(at("main"), None)
    assert blocked == Missing("repository", "GitHub does not give access to ada/engine.")


async def test_nobody_there(make: Make, unused_tcp_port: int) -> None:
    gh = make(api_url=f"http://127.0.0.1:{unused_tcp_port}")
    assert await gh.resolve(at("main"), None) == Unavailable("GitHub does not answer now.")


class Enterprise(FakeGitHub):
    """GitHub Enterprise Server has its API below its own address."""

    api_path = "/api/v3"


async def test_github_enterprise(client: httpx.AsyncClient, tmp_path: Path) -> None:
    async with Enterprise(tmp_path / "enterprise") as enterprise:
        commit = enterprise.create("ada/engine").head()
        enterprise.rename("ada/engine", "ada/difference")
        settings = ProviderSettings(github=enterprise.settings())
        gh = make_providers(settings, client)["gh"]
        resolved = await gh.resolve(at("HEAD"), None)
        assert isinstance(resolved, Resolved)
        assert resolved.resolved_ref == commit
        assert gh.repository_url(at("HEAD")) == f"{enterprise.url}/ada/engine"
        assert enterprise.url.removeprefix("http://") in gh.display["detect"]["regex"].replace(
            "\\", ""
        )
