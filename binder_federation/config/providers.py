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


class GistSettings(Section):
    """Provider `gist`; GitHub's API is asked as the settings of `github` say."""

    url: str = "https://gist.github.com"
    allow_secret: bool = False
    """Whether gists that GitHub does not list may be launched by those who know their id."""


class GitLabSettings(Section):
    """Provider `gl`: GitLab.com, or another GitLab. One token at most."""

    url: str = "https://gitlab.com"
    api_url: str | None = None
    """Unset: `<url>/api/v4`."""
    private_token: SecretStr | None = None
    """A personal, project or group access token."""
    access_token: SecretStr | None = None
    """An OAuth 2 token."""


class BitbucketSettings(Section):
    """Provider `bitbucket`: Bitbucket Cloud. Without a login it takes 60 requests an hour."""

    url: str = "https://bitbucket.org"
    api_url: str = "https://api.bitbucket.org/2.0"
    token: SecretStr | None = None
    """An access token of a repository, project or workspace."""
    username: str | None = None
    app_password: SecretStr | None = None
    """An app password, or an API token, whose `username` is an e-mail address."""


class GitSettings(Section):
    """Provider `git`: any repository that git can clone."""

    allowed_protocols: tuple[str, ...] = ("https", "http", "ssh", "git")
    """`file` may be added where everybody who can launch may read this machine's files."""


class ZenodoSettings(Section):
    """Provider `zenodo`: Zenodo, and other sites that run InvenioRDM."""

    sites: Mapping[str, str] = {
        "10.5281": "https://zenodo.org",
        "10.5072": "https://sandbox.zenodo.org",
        "10.22002": "https://data.caltech.edu",
    }
    """The prefix of a site's DOIs, and the site. No other site is asked."""


class FigshareSettings(Section):
    """Provider `figshare`, of institutions as well: they share one API."""

    api_url: str = "https://api.figshare.com/v2"


class DataverseSettings(Section):
    """Provider `dataverse`. A DOI does not say which installation it is of: doi.org does."""

    installations: tuple[str, ...] = (
        "https://borealisdata.ca",
        "https://data.aussda.at",
        "https://data.goettingen-research-online.de",
        "https://data.scielo.org",
        "https://darus.uni-stuttgart.de",
        "https://dataverse.harvard.edu",
        "https://dataverse.nl",
        "https://dataverse.no",
        "https://dataverse.unc.edu",
        "https://demo.dataverse.org",
        "https://entrepot.recherche.data.gouv.fr",
        "https://heidata.uni-heidelberg.de",
    )
    """No other installation is asked."""


class HydroShareSettings(Section):
    """Provider `hydroshare`."""

    url: str = "https://www.hydroshare.org"


class DownloadSettings(Section):
    """Content that is not git: files that are downloaded, by members."""

    most_bytes: Annotated[int, Field(gt=0)] = 10_000_000_000
    """Of one repository's files together, also when they are unpacked."""
    most_files: Annotated[int, Field(gt=0)] = 2000
    file_timeout_seconds: Seconds = 900.0
    """For one file; it must also not stall for a minute."""


class ProviderSettings(Section):
    """How repositories are found and which may be."""

    enabled: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """The providers, in the order of the home page; unset: all that are built in. A provider of
    another package (entry points `binder_federation.providers`) must be named."""
    further: Mapping[str, Mapping[str, Any]] = {}
    """Settings of providers of other packages, by their id."""
    github: GitHubSettings = GitHubSettings()
    gist: GistSettings = GistSettings()
    gitlab: GitLabSettings = GitLabSettings()
    bitbucket: BitbucketSettings = BitbucketSettings()
    git: GitSettings = GitSettings()
    zenodo: ZenodoSettings = ZenodoSettings()
    figshare: FigshareSettings = FigshareSettings()
    dataverse: DataverseSettings = DataverseSettings()
    hydroshare: HydroShareSettings = HydroShareSettings()
    doi_url: str = "https://doi.org"
    """Where it is asked what a DOI leads to, when the DOI itself does not say."""
    downloads: DownloadSettings = DownloadSettings()
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
