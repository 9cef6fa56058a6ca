"""The providers that come with this package: id → factory, in the order of the home page.

A new one is a module and a line here; `docs/providers.md` tells how.
"""

from collections.abc import Mapping

from binder_federation.binder.providers.git import GitProvider
from binder_federation.binder.providers.git_access import make_git_access
from binder_federation.binder.providers.github import GitHubProvider
from binder_federation.binder.providers.github_api import GitHubApi, make_github_client
from binder_federation.binder.providers.parts import ProviderFactory, ProviderParts


def _gh(parts: ProviderParts) -> GitHubProvider:
    return GitHubProvider(
        settings=parts.settings.github, api=GitHubApi(api=make_github_client(parts))
    )


def _git(parts: ProviderParts) -> GitProvider:
    access = make_git_access(parts.settings, parts.client)
    return GitProvider(access=access, timeout_seconds=parts.settings.timeout_seconds)


BUILT_IN: Mapping[str, ProviderFactory] = {
    "gh": _gh,
    "git": _git,
}
