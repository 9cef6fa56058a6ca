"""Provider `gl`: GitLab.com, or another GitLab that the settings name.

A spec is `<percent-encoded project>/ref`: projects lie in groups of any depth, so the
name is one part of the path (`escaped_names.py`). `gitlab_api.py` asks what a ref
stands for.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from binder_federation.binder.providers.base import GitSource, Resolution, Resolved
from binder_federation.binder.providers.escaped_names import EscapedNames
from binder_federation.binder.providers.git_logins import Login, hosted_source
from binder_federation.binder.providers.gitlab_api import GitLabApi
from binder_federation.binder.providers.refs import is_commit_id
from binder_federation.binder.spec import LaunchSpec
from binder_federation.config.providers import GitLabSettings

_MOST_GROUPS = 20
_GRAMMAR = EscapedNames(
    provider="gl", host_name="GitLab", example="group/project", most_parts=_MOST_GROUPS + 1
)


class GitLabProvider:
    """Projects on GitLab."""

    id = "gl"

    def __init__(self, *, settings: GitLabSettings, api: GitLabApi) -> None:
        self._settings = settings
        self._url = settings.url.rstrip("/")
        self._api = api

    @property
    def display(self) -> Mapping[str, Any]:
        """For the home page's form."""
        host = urlsplit(self._url).netloc
        name = "GitLab.com" if host == "gitlab.com" else "GitLab"
        part = r"(?!-/)[^/?#]+"
        return {
            "displayName": name,
            "id": self.id,
            "spec": {"validateRegex": r"[^/]+/.+"},
            "detect": {
                "regex": rf"^(?:https?://(?:www\.)?{re.escape(host)}/)?"
                rf"(?<repo>[^/?#:]+(?:/{part})+?)(?:\.git)?(?:/-/.*)?/?$"
            },
            "repo": {
                "label": f"{name} repository or URL",
                "placeholder": f"group/project or {self._url}/group/project",
                "urlEncode": True,
            },
            "ref": {"enabled": True, "default": "HEAD"},
        }

    def parse(self, raw_spec: str) -> LaunchSpec:
        """`<percent-encoded project>/ref`."""
        return _GRAMMAR.parse(raw_spec)

    def check(self, spec: LaunchSpec) -> None:
        """Nothing: the operator's settings say which host this is."""

    def format(self, spec: LaunchSpec) -> str:
        """The inverse of `parse`."""
        return _GRAMMAR.format(spec)

    def repository_url(self, spec: LaunchSpec) -> str:
        """Its page."""
        return f"{self._url}/{spec.repository}"

    def ref_url(self, spec: LaunchSpec, resolved_ref: str) -> str:
        """Its files at a commit."""
        return f"{self._url}/{spec.repository}/-/tree/{resolved_ref}"

    async def resolve(self, spec: LaunchSpec, known: Resolved | None) -> Resolution:
        """What GitLab says; a full commit id is not asked for."""
        if is_commit_id(spec.ref):
            return Resolved(spec.ref.lower())
        return await self._api.fetch_commit(spec.repository, spec.ref, known)

    async def source(self, spec: LaunchSpec, resolved_ref: str = "") -> GitSource:  # noqa: ARG002 - the protocol's
        """The repository at GitLab, with our token when there is one."""
        url = f"{self.repository_url(spec)}.git"
        return hosted_source(url, host_url=self._url, login=_login(self._settings))


def _login(settings: GitLabSettings) -> Login | None:
    """A user's name stands there for form's sake; OAuth wants this one."""
    if settings.private_token is not None:
        return Login("binderhub", settings.private_token.get_secret_value())
    if settings.access_token is not None:
        return Login("oauth2", settings.access_token.get_secret_value())
    return None
