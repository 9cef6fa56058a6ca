"""Provider `gist` against a server that behaves like GitHub: what is a gist's own."""

from collections.abc import Callable

import httpx
import pytest

from binder_federation.binder.providers import make_providers
from binder_federation.binder.providers.base import Missing, RepoProvider, Resolved, Unchanged
from binder_federation.binder.spec import LaunchSpec
from binder_federation.config.providers import ProviderSettings
from tests.support.fake_github import FakeGitHub

GIST_ID = "0123456789abcdef"
Make = Callable[..., RepoProvider]


@pytest.fixture
def make(github: FakeGitHub, client: httpx.AsyncClient) -> Make:
    def make_provider(*, allow_secret: bool = False) -> RepoProvider:
        settings = ProviderSettings(
            github=github.settings(), gist=github.gist_settings(allow_secret=allow_secret)
        )
        return make_providers(settings, client)["gist"]

    return make_provider


def at(ref: str, user: str = "ada") -> LaunchSpec:
    return LaunchSpec("gist", f"{user}/{GIST_ID}", ref)


async def test_refs_of_a_gist(github: FakeGitHub, make: Make) -> None:
    repository = github.create_gist("ada", GIST_ID)
    first = repository.head()
    head = repository.commit({"x": "1"})
    gist = make()
    for ref, commit in [("HEAD", head), (first, first), (first.upper(), first), (first[:8], first)]:
        resolved = await gist.resolve(at(ref), None)
        assert isinstance(resolved, Resolved), (ref, resolved)
        assert (ref, resolved.resolved_ref) == (ref, commit)
    assert await gist.resolve(at("0000000"), None) == Missing(
        "ref", f"The gist ada/{GIST_ID} has no commit 0000000."
    )


async def test_secret_gists_only_by_option(github: FakeGitHub, make: Make) -> None:
    commit = github.create_gist("ada", GIST_ID, is_public=False).head()
    secret = Missing(
        "repository", f"The gist ada/{GIST_ID} is secret; those are not launched here."
    )
    refused = make()
    assert await refused.resolve(at("HEAD"), None) == secret
    assert await refused.resolve(at(commit), None) == secret, "its commits are secret as well"
    allowed = await make(allow_secret=True).resolve(at("HEAD"), None)
    assert isinstance(allowed, Resolved)
    assert allowed.resolved_ref == commit


async def test_a_full_commit_id_needs_no_answer(github: FakeGitHub, make: Make) -> None:
    github.create_gist("ada", GIST_ID)
    github.limit_next()
    assert await make().resolve(at("f" * 40), None) == Resolved("f" * 40)
    asked = len(github.requests)
    assert await make(allow_secret=True).resolve(at("f" * 40), None) == Resolved("f" * 40)
    assert len(github.requests) == asked, "where all gists are allowed, there is nothing to ask"


async def test_a_gist_is_its_owners(github: FakeGitHub, make: Make) -> None:
    """Else a ban of somebody's gists would be walked around with another name."""
    github.create_gist("ada", GIST_ID)
    gist = make()
    other = await gist.resolve(at("HEAD", "charles"), None)
    assert other == Missing("repository", f"The gist charles/{GIST_ID} belongs to ada.")
    assert isinstance(await gist.resolve(at("HEAD", "ADA"), None), Resolved)


async def test_a_gist_of_nobody(github: FakeGitHub, make: Make) -> None:
    github.create_gist("anonymous", GIST_ID, is_anonymous=True)
    assert isinstance(await make().resolve(at("HEAD", "anonymous"), None), Resolved)


async def test_a_known_commit_is_asked_for_with_its_etag(github: FakeGitHub, make: Make) -> None:
    commit = github.create_gist("ada", GIST_ID).head()
    gist = make()
    known = await gist.resolve(at(commit), None)
    assert isinstance(known, Resolved)
    left = github.quota
    assert await gist.resolve(at(commit), known) == Unchanged()
    assert github.quota == left
