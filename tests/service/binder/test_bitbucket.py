"""Provider `bitbucket` against a server that behaves like it: what is Bitbucket's own."""

import base64

import httpx
import pytest

from binder_federation.binder.providers import make_providers
from binder_federation.binder.providers.base import GitSource, Missing, Resolved
from binder_federation.binder.spec import LaunchSpec
from binder_federation.config.providers import ProviderSettings
from tests.support.fake_bitbucket import FakeBitbucket

HEAD = LaunchSpec("bitbucket", "team/engine", "HEAD")


@pytest.mark.parametrize(
    ("username", "git_user"),
    [("ada", "ada"), ("ada@example.org", "x-bitbucket-api-token-auth")],
)
async def test_a_password_of_an_app(
    bitbucket: FakeBitbucket, client: httpx.AsyncClient, username: str, git_user: str
) -> None:
    bitbucket.create("team/engine")
    bitbucket.login = (username, "s3cret")
    settings = ProviderSettings(
        bitbucket=bitbucket.settings(username=username, app_password="s3cret")
    )
    provider = make_providers(settings, client)["bitbucket"]
    assert isinstance(await provider.resolve(HEAD, None), Resolved)
    assert bitbucket.requests[-1].headers["Authorization"].startswith("Basic ")
    source = await provider.source(HEAD)
    assert isinstance(source, GitSource)
    login = base64.b64encode(f"{git_user}:s3cret".encode()).decode()
    assert source.environment["GIT_CONFIG_VALUE_0"] == f"Authorization: Basic {login}"


async def test_a_private_repository(bitbucket: FakeBitbucket, client: httpx.AsyncClient) -> None:
    bitbucket.create("team/engine")
    bitbucket.private.add("team/engine")
    settings = ProviderSettings(bitbucket=bitbucket.settings())
    provider = make_providers(settings, client)["bitbucket"]
    for ref in ("HEAD", "main"):
        assert await provider.resolve(HEAD.at(ref), None) == Missing(
            "repository", "Bitbucket does not give access to team/engine."
        )


async def test_a_branch_goes_before_a_tag(
    bitbucket: FakeBitbucket, client: httpx.AsyncClient
) -> None:
    repository = bitbucket.create("team/engine")
    repository.tag("both")
    branch = repository.branch("both", {"x": "1"})
    settings = ProviderSettings(bitbucket=bitbucket.settings())
    resolved = await make_providers(settings, client)["bitbucket"].resolve(HEAD.at("both"), None)
    assert isinstance(resolved, Resolved)
    assert resolved.resolved_ref == branch


async def test_the_default_branch_may_have_any_name(
    bitbucket: FakeBitbucket, client: httpx.AsyncClient
) -> None:
    commit = bitbucket.create("team/engine", branch="dev/next").head()
    settings = ProviderSettings(bitbucket=bitbucket.settings())
    resolved = await make_providers(settings, client)["bitbucket"].resolve(HEAD, None)
    assert isinstance(resolved, Resolved)
    assert resolved.resolved_ref == commit
