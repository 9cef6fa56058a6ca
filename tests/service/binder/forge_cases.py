"""The forges that the tests of all of them go through: a server, and the provider for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from binder_federation.binder.spec import LaunchSpec
from binder_federation.config.providers import ProviderSettings
from tests.support.fake_bitbucket import FakeBitbucket
from tests.support.fake_forge import FakeForge
from tests.support.fake_github import FakeGitHub
from tests.support.fake_gitlab import FakeGitLab
from tests.support.git_repositories import GitRepository


@dataclass(frozen=True, slots=True)
class ForgeCase:
    """One provider. `login` are settings of it, `expect_login` makes the server want them."""

    provider: str
    name: str
    """In sentences."""
    repository: str
    server: type[FakeForge]
    section: str
    login: Mapping[str, str]
    expect_login: Callable[[Any], None]
    git_login: tuple[str, str]
    tells_what_is_left: bool = True

    def at(self, ref: str, repository: str = "") -> LaunchSpec:
        """The repository, at `ref`."""
        return LaunchSpec(self.provider, repository or self.repository, ref)

    def create(self, forge: FakeForge) -> GitRepository:
        """The repository, on the server."""
        if self.provider == "gist":
            assert isinstance(forge, FakeGitHub)
            return forge.create_gist(*self.repository.split("/"))
        return forge.create(self.repository)

    def settings(
        self,
        forge: FakeForge,
        login: Mapping[str, str] | None = None,
        *,
        timeout_seconds: float = 5,
    ) -> ProviderSettings:
        """Settings for the server."""
        own = {"url": forge.url, "api_url": forge.api_url, **(login or {})}
        sections: dict[str, Any] = {self.section: own}
        if self.provider == "gist":
            sections["gist"] = {"url": forge.url}
        return ProviderSettings.model_validate({"timeout_seconds": timeout_seconds, **sections})


def _github_token(forge: FakeGitHub) -> None:
    forge.token = "s3cret"


def _private_token(forge: FakeGitLab) -> None:
    forge.private_token = "s3cret"


def _bitbucket_token(forge: FakeBitbucket) -> None:
    forge.token = "s3cret"


GITHUB = ForgeCase(
    "gh",
    "GitHub",
    "ada/engine",
    FakeGitHub,
    "github",
    {"token": "s3cret"},
    _github_token,
    ("x-access-token", "s3cret"),
)
GIST = ForgeCase(
    "gist",
    "GitHub",
    "ada/0123456789abcdef",
    FakeGitHub,
    "github",
    {"token": "s3cret"},
    _github_token,
    ("x-access-token", "s3cret"),
)
GITLAB = ForgeCase(
    "gl",
    "GitLab",
    "group/sub/engine",
    FakeGitLab,
    "gitlab",
    {"private_token": "s3cret"},
    _private_token,
    ("binderhub", "s3cret"),
)
BITBUCKET = ForgeCase(
    "bitbucket",
    "Bitbucket",
    "team/engine",
    FakeBitbucket,
    "bitbucket",
    {"token": "s3cret"},
    _bitbucket_token,
    ("x-token-auth", "s3cret"),
    tells_what_is_left=False,
)
ALL = (GITHUB, GIST, GITLAB, BITBUCKET)
WITH_BRANCHES = (GITHUB, GITLAB, BITBUCKET)
