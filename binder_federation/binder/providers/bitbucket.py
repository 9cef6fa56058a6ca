"""Provider `bitbucket`: Bitbucket Cloud.

A spec is `<percent-encoded workspace/repository>/ref` (`escaped_names.py`).
`bitbucket_api.py` asks what a ref stands for.
"""

import re
from collections.abc import Mapping
from typing import Any

from binder_federation.binder.providers.bitbucket_api import BitbucketApi
from binder_federation.binder.providers.escaped_names import EscapedNames
from binder_federation.binder.providers.forge import Forge
from binder_federation.binder.providers.git_logins import Login
from binder_federation.config.providers import BitbucketSettings

_GRAMMAR = EscapedNames(
    provider="bitbucket", host_name="Bitbucket", example="workspace/repository", most_parts=2
)


class BitbucketProvider(Forge):
    """Repositories on Bitbucket."""

    id = "bitbucket"
    tree_path = "/src"

    def __init__(self, *, settings: BitbucketSettings, api: BitbucketApi) -> None:
        super().__init__(url=settings.url, grammar=_GRAMMAR, api=api, login=_login(settings))

    @property
    def display(self) -> Mapping[str, Any]:
        """For the home page's form."""
        host = re.escape(self._host)
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


def _login(settings: BitbucketSettings) -> Login | None:
    """Names that stand for a token: https://support.atlassian.com/bitbucket-cloud/docs/using-access-tokens/"""
    if settings.token is not None:
        return Login("x-token-auth", settings.token.get_secret_value())
    if settings.username and settings.app_password is not None:
        is_api_token = "@" in settings.username
        user = "x-bitbucket-api-token-auth" if is_api_token else settings.username
        return Login(user, settings.app_password.get_secret_value())
    return None
