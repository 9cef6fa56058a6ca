"""Provider `gl`: GitLab.com, or another GitLab that the settings name.

A spec is `<percent-encoded project>/ref`: projects lie in groups of any depth, so the
name is one part of the path (`escaped_names.py`). `gitlab_api.py` asks what a ref
stands for.
"""

import re
from collections.abc import Mapping
from typing import Any

from binder_federation.binder.providers.escaped_names import EscapedNames
from binder_federation.binder.providers.forge import Forge
from binder_federation.binder.providers.git_logins import Login
from binder_federation.binder.providers.gitlab_api import GitLabApi
from binder_federation.config.providers import GitLabSettings

_MOST_GROUPS = 20
_GRAMMAR = EscapedNames(
    provider="gl", host_name="GitLab", example="group/project", most_parts=_MOST_GROUPS + 1
)


class GitLabProvider(Forge):
    """Projects on GitLab."""

    id = "gl"
    tree_path = "/-/tree"

    def __init__(self, *, settings: GitLabSettings, api: GitLabApi) -> None:
        super().__init__(url=settings.url, grammar=_GRAMMAR, api=api, login=_login(settings))

    @property
    def display(self) -> Mapping[str, Any]:
        """For the home page's form."""
        host = self._host
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


def _login(settings: GitLabSettings) -> Login | None:
    """A user's name stands there for form's sake; OAuth wants this one."""
    if settings.private_token is not None:
        return Login("binderhub", settings.private_token.get_secret_value())
    if settings.access_token is not None:
        return Login("oauth2", settings.access_token.get_secret_value())
    return None
