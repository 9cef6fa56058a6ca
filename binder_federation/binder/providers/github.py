"""Provider `gh`: GitHub, or a GitHub Enterprise host that the settings name.

A spec is `owner/repository/ref`; what follows the second `/` is the ref, so a ref may
hold `/` as it is. `github_api.py` asks what a ref stands for.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from binder_federation.binder.errors import InvalidSpec
from binder_federation.binder.providers.base import GitSource, Resolution, Resolved
from binder_federation.binder.providers.git_logins import Login, hosted_source
from binder_federation.binder.providers.github_api import GitHubApi
from binder_federation.binder.providers.refs import check_ref, is_commit_id
from binder_federation.binder.providers.text import decode_once, shown
from binder_federation.binder.spec import LaunchSpec
from binder_federation.config.providers import GitHubSettings

_OWNER = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_FORM = "A link looks like /v2/gh/owner/repository/HEAD."


class GitHubProvider:
    """Repositories on GitHub."""

    id = "gh"

    def __init__(self, *, settings: GitHubSettings, api: GitHubApi) -> None:
        self._settings = settings
        self._url = settings.url.rstrip("/")
        self._api = api

    @property
    def display(self) -> Mapping[str, Any]:
        """For the home page's form."""
        host = re.escape(urlsplit(self._url).netloc)
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
        return LaunchSpec(self.id, f"{owner}/{name}", check_ref(ref))

    def check(self, spec: LaunchSpec) -> None:
        """Nothing: the operator's settings say which host this is."""

    def format(self, spec: LaunchSpec) -> str:
        """The inverse of `parse`."""
        return f"{spec.repository}/{quote(spec.ref, safe='/')}"

    def repository_url(self, spec: LaunchSpec) -> str:
        """Its page."""
        return f"{self._url}/{spec.repository}"

    def ref_url(self, spec: LaunchSpec, resolved_ref: str) -> str:
        """Its files at a commit."""
        return f"{self._url}/{spec.repository}/tree/{resolved_ref}"

    async def resolve(self, spec: LaunchSpec, known: Resolved | None) -> Resolution:
        """What GitHub says; a full commit id is not asked for."""
        if is_commit_id(spec.ref):
            return Resolved(spec.ref.lower())
        return await self._api.fetch_commit(spec.repository, spec.ref, known)

    async def source(self, spec: LaunchSpec, resolved_ref: str = "") -> GitSource:  # noqa: ARG002 - the protocol's
        """The repository at GitHub, with our token when there is one."""
        return hosted_source(
            self.repository_url(spec), host_url=self._url, login=github_login(self._settings)
        )


def github_login(settings: GitHubSettings) -> Login | None:
    """Who we are to GitHub's git servers."""
    if settings.token is None:
        return None
    return Login("x-access-token", settings.token.get_secret_value())


def _three_parts(raw_spec: str) -> tuple[str, str, str]:
    owner, _, rest = raw_spec.partition("/")
    name, _, ref = rest.partition("/")
    return owner, name, ref
