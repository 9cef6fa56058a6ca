"""Provider `gl` against a server that behaves like GitLab: what is GitLab's own."""

import httpx

from binder_federation.binder.providers import make_providers
from binder_federation.binder.providers.base import GitSource, Missing, Resolved
from binder_federation.binder.spec import LaunchSpec
from binder_federation.config.providers import ProviderSettings
from tests.support.fake_gitlab import FakeGitLab

HEAD = LaunchSpec("gl", "group/engine", "HEAD")


async def test_the_oauth_token_is_sent(gitlab: FakeGitLab, client: httpx.AsyncClient) -> None:
    gitlab.create("group/engine")
    gitlab.access_token = "s3cret"
    settings = ProviderSettings(gitlab=gitlab.settings(access_token="s3cret"))
    gl = make_providers(settings, client)["gl"]
    assert isinstance(await gl.resolve(HEAD, None), Resolved)
    assert gitlab.requests[-1].headers["Authorization"] == "Bearer s3cret"
    source = await gl.source(HEAD)
    assert isinstance(source, GitSource)
    assert source.environment["GIT_CONFIG_KEY_0"] == f"http.{gitlab.url}/.extraheader"


async def test_the_private_token_goes_before_it(
    gitlab: FakeGitLab, client: httpx.AsyncClient
) -> None:
    gitlab.create("group/engine")
    gitlab.private_token = "one"
    settings = ProviderSettings(gitlab=gitlab.settings(private_token="one", access_token="two"))
    await make_providers(settings, client)["gl"].resolve(HEAD, None)
    assert gitlab.requests[-1].headers["PRIVATE-TOKEN"] == "one"
    assert "Authorization" not in gitlab.requests[-1].headers


async def test_a_project_whose_files_are_for_members(
    gitlab: FakeGitLab, client: httpx.AsyncClient
) -> None:
    gitlab.create("group/engine")
    gitlab.without_repository.add("group/engine")
    gl = make_providers(ProviderSettings(gitlab=gitlab.settings()), client)["gl"]
    assert await gl.resolve(HEAD, None) == Missing(
        "repository", "GitLab does not give access to group/engine."
    )


async def test_the_api_is_below_the_host_unless_the_settings_say_otherwise(
    gitlab: FakeGitLab, client: httpx.AsyncClient
) -> None:
    gitlab.create("group/engine")
    settings = ProviderSettings.model_validate(
        {"gitlab": {"url": f"http://127.0.0.1:{gitlab.port}/"}}
    )
    gl = make_providers(settings, client)["gl"]
    assert isinstance(await gl.resolve(HEAD.at("main"), None), Resolved)
    assert gitlab.requests[-1].path == (
        "/api/v4/projects/group%2Fengine/repository/commits/main?stats=false"
    )
    assert gl.display["displayName"] == "GitLab"
