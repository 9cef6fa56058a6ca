"""Provider `bitbucket`: Bitbucket Cloud.

A spec is `<percent-encoded workspace/repository>/ref` (`escaped_names.py`).
`bitbucket_api.py` asks what a ref stands for.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from binder_federation.binder.providers.base import GitSource, Resolution, Resolved
from binder_federation.binder.providers.bitbucket_api import BitbucketApi
from binder_federation.binder.providers.escaped_names import EscapedNames
from binder_federation.binder.providers.git_logins import Login, hosted_source
from binder_federation.binder.providers.refs import is_commit_id
from binder_federation.binder.spec import LaunchSpec
from binder_federation.config.providers import BitbucketSettings

_GRAMMAR = EscapedNames(
    provider="bitbucket", host_name="Bitbucket", example="workspace/repository", most_parts=2
)


class BitbucketProvider:
    """Repositories on Bitbucket."""

    id = "bitbucket"

    def __init__(self, *, settings: BitbucketSettings, api: BitbucketApi) -> None:
        self._settings = settings
        self._url = settings.url.rstrip("/")
        self._api = api

    @property
    def display(self) -> Mapping[str, Any]:
        """For the home page's form."""
        host = re.escape(urlsplit(self._url).netloc)
        return {
            "displayName": "Bitbucket",
            "id": self.id,
            "spec": {"validateRegex": r"[^/]+/.+"},
            "detect": {
                "regex": rf"^(?:https?://(?:[^/@]+@)?(?:www\.)?{host}/)?"
                r"(?<repo>[^/?#:]+/[^/?#]+?)(?:\.git)?(?:/src/.*)?/?$"
            },
            "repo": {
                "label": "Bitbucket repository name or URL",
                "placeholder": f"workspace/repository or {self._url}/workspace/repository",
                "urlEncode": True,
            },
            "ref": {"enabled": True, "default": "HEAD"},
        }

    def parse(self, raw_spec: str) -> LaunchSpec:
        """`<percent-encoded workspace/repository>/ref`."""
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
        return f"{self._url}/{spec.repository}/src/{resolved_ref}"

    async def resolve(self, spec: LaunchSpec, known: Resolved | None) -> Resolution:
        """What Bitbucket says; a full commit id is not asked for."""
        if is_commit_id(spec.ref):
            return Resolved(spec.ref.lower())
        return await self._api.fetch_commit(spec.repository, spec.ref, known)

    async def source(self, spec: LaunchSpec, resolved_ref: str = "") -> GitSource:  # noqa: ARG002 - the protocol's
        """The repository at Bitbucket, with our login when there is one."""
        url = f"{self.repository_url(spec)}.git"
        return hosted_source(url, host_url=self._url, login=_login(self._settings))


def _login(settings: BitbucketSettings) -> Login | None:
    """Names that stand for a token: https://support.atlassian.com/bitbucket-cloud/docs/using-access-tokens/"""
    if settings.token is not None:
        return Login("x-token-auth", settings.token.get_secret_value())
    if settings.username and settings.app_password is not None:
        is_api_token = "@" in settings.username
        user = "x-bitbucket-api-token-auth" if is_api_token else settings.username
        return Login(user, settings.app_password.get_secret_value())
    return None
