"""The providers that come with this package: id → factory, in the order of the home page.

A new one is a module and a line here; `docs/providers.md` tells how.
"""

from collections.abc import Mapping

from binder_federation.binder.providers.bitbucket import BitbucketProvider
from binder_federation.binder.providers.bitbucket_api import BitbucketApi, make_bitbucket_client
from binder_federation.binder.providers.ckan import make_ckan
from binder_federation.binder.providers.dataverse import make_dataverse
from binder_federation.binder.providers.figshare import make_figshare
from binder_federation.binder.providers.gist import GistProvider
from binder_federation.binder.providers.gist_api import GistApi
from binder_federation.binder.providers.git import GitProvider
from binder_federation.binder.providers.git_access import make_git_access
from binder_federation.binder.providers.github import GitHubProvider, github_login
from binder_federation.binder.providers.github_api import GitHubApi, make_github_client
from binder_federation.binder.providers.gitlab import GitLabProvider
from binder_federation.binder.providers.gitlab_api import GitLabApi, make_gitlab_client
from binder_federation.binder.providers.hydroshare import make_hydroshare
from binder_federation.binder.providers.parts import ProviderFactory, ProviderParts
from binder_federation.binder.providers.zenodo import make_zenodo


def _gh(parts: ProviderParts) -> GitHubProvider:
    return GitHubProvider(
        settings=parts.settings.github, api=GitHubApi(api=make_github_client(parts))
    )


def _gist(parts: ProviderParts) -> GistProvider:
    settings = parts.settings.gist
    api = GistApi(api=make_github_client(parts), allow_secret=settings.allow_secret)
    return GistProvider(settings=settings, login=github_login(parts.settings.github), api=api)


def _gl(parts: ProviderParts) -> GitLabProvider:
    api = GitLabApi(api=make_gitlab_client(parts))
    return GitLabProvider(settings=parts.settings.gitlab, api=api)


def _bitbucket(parts: ProviderParts) -> BitbucketProvider:
    api = BitbucketApi(api=make_bitbucket_client(parts))
    return BitbucketProvider(settings=parts.settings.bitbucket, api=api)


def _git(parts: ProviderParts) -> GitProvider:
    access = make_git_access(parts.settings, parts.client)
    return GitProvider(access=access, timeout_seconds=parts.settings.timeout_seconds)


BUILT_IN: Mapping[str, ProviderFactory] = {
    "gh": _gh,
    "gist": _gist,
    "gl": _gl,
    "bitbucket": _bitbucket,
    "git": _git,
    "zenodo": make_zenodo,
    "figshare": make_figshare,
    "dataverse": make_dataverse,
    "hydroshare": make_hydroshare,
    "ckan": make_ckan,
}
