"""Settings of the repo providers, the same for the federation and its members."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Section(BaseModel):
    """A part of the settings: frozen, and a misspelt name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Seconds = Annotated[float, Field(gt=0)]


class GitHubSettings(Section):
    """Provider `gh`. A token, or a client id and secret, raises GitHub's rate limit."""

    url: str = "https://github.com"
    """Where people and git find repositories; a GitHub Enterprise host goes here."""
    api_url: str = "https://api.github.com"
    token: SecretStr | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None


class GitSettings(Section):
    """Provider `git`: any repository that git can clone."""

    allowed_protocols: tuple[str, ...] = ("https", "http", "ssh", "git")
    """`file` may be added where everybody who can launch may read this machine's files."""


class ProviderSettings(Section):
    """How repositories are found and which may be."""

    enabled: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """The providers, in the order of the home page; unset: all that are built in. A provider of
    another package (entry points `binder_federation.providers`) must be named."""
    further: Mapping[str, Mapping[str, Any]] = {}
    """Settings of providers of other packages, by their id."""
    github: GitHubSettings = GitHubSettings()
    git: GitSettings = GitSettings()
    allow_private_addresses: bool = False
    """Whether a repository may be on this network (private, loopback, link-local)."""
    trusted_prefixes: tuple[str, ...] = ()
    """URLs of repositories that are exempt from the rules for protocols and addresses, with
    everything below them: `file:///srv/examples/`, `http://git.internal/`."""
    timeout_seconds: Seconds = 15.0
    """For one request to a provider, or one `git ls-remote`."""
    ref_lifetime_seconds: Seconds = 60.0
    """A branch's commit is believed for so long, then asked again (conditionally)."""
    missing_lifetime_seconds: Seconds = 300.0
    """A repository or ref that does not exist is not asked for again for so long."""
