"""Provider `gh`: GitHub, or a GitHub Enterprise host that the settings name.

A spec is `owner/repository/ref`; what follows the second `/` is the ref, so a ref may
hold `/` as it is. `github_api.py` asks what a ref stands for.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from binder_federation.binder.errors import InvalidSpec
from binder_federation.binder.providers.forge import Forge
from binder_federation.binder.providers.git_logins import Login
from binder_federation.binder.providers.github_api import GitHubApi
from binder_federation.binder.providers.refs import check_ref
from binder_federation.binder.providers.text import decode_once, shown
from binder_federation.binder.spec import LaunchSpec
from binder_federation.config.providers import GitHubSettings

_OWNER = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_FORM = "A link looks like /v2/gh/owner/repository/HEAD."


@dataclass(frozen=True, slots=True)
class _Names:
    """The grammar `owner/repository/ref` of provider `provider`."""

    provider: str

    def parse(self, raw_spec: str) -> LaunchSpec:
        """`owner/repository/ref`."""
        owner, name, ref = (decode_once(part) for part in _three_parts(raw_spec))
        while name.lower().endswith(".git"):
            name = name[: -len(".git")]
        if not ref:
            at_head = f"/v2/gh/{shown(owner)}/{shown(name)}/HEAD" if owner and name else ""
            raise InvalidSpec(
                "The link does not say which ref of the repository to launch.",
                advice=f"Add one: {at_head}." if at_head else _FORM,
            )
        for part, pattern in ((owner, _OWNER), (name, _NAME)):
            if not pattern.fullmatch(part) or part in (".", ".."):
                raise InvalidSpec(
                    f"“{shown(part)}” cannot be part of a GitHub repository's name.", advice=_FORM
                )
        return LaunchSpec(self.provider, f"{owner}/{name}", check_ref(ref))

    def format(self, spec: LaunchSpec) -> str:
        """The inverse of `parse`."""
        return f"{spec.repository}/{quote(spec.ref, safe='/')}"


class GitHubProvider(Forge):
    """Repositories on GitHub."""

    id = "gh"
    tree_path = "/tree"
    clone_suffix = ""

    def __init__(self, *, settings: GitHubSettings, api: GitHubApi) -> None:
        super().__init__(
            url=settings.url, grammar=_Names(self.id), api=api, login=github_login(settings)
        )

    @property
    def display(self) -> Mapping[str, Any]:
        """For the home page's form."""
        host = re.escape(self._host)
        return {
            "displayName": "GitHub",
            "id": self.id,
            "spec": {"validateRegex": r"[^/]+/[^/]+/.+"},
            "detect": {
                "regex": rf"^(?:https?://(?:www\.)?{host}/)?(?<repo>[^/]+/[^/#?]+?)(?:\.git)?/?$"
            },
            "repo": {
                "label": "GitHub repository name or URL",
                "placeholder": f"owner/repository or {self._url}/owner/repository",
            },
            "ref": {"enabled": True, "default": "HEAD"},
        }


def github_login(settings: GitHubSettings) -> Login | None:
    """Who we are to GitHub's git servers."""
    if settings.token is None:
        return None
    return Login("x-access-token", settings.token.get_secret_value())


def _three_parts(raw_spec: str) -> tuple[str, str, str]:
    owner, _, rest = raw_spec.partition("/")
    name, _, ref = rest.partition("/")
    return owner, name, ref
