"""Provider `gist`: gists on GitHub.

A spec is `user/id[/ref]`. A gist has no branches that anybody sees: the ref is a commit
id, or HEAD for the latest one, which `main`, `master` and nothing mean as well.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from binder_federation.binder.errors import InvalidSpec
from binder_federation.binder.providers.base import Resolution, Resolved
from binder_federation.binder.providers.forge import Forge
from binder_federation.binder.providers.gist_api import GistApi
from binder_federation.binder.providers.git_logins import Login
from binder_federation.binder.providers.refs import is_commit_id, looks_abbreviated
from binder_federation.binder.providers.text import decode_once, shown
from binder_federation.binder.spec import LaunchSpec
from binder_federation.config.providers import GistSettings

_USER = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ID = re.compile(r"[A-Za-z0-9]{1,64}")
_LATEST = frozenset({"", "HEAD", "main", "master"})
_FORM = "A link looks like /v2/gist/user/0123456789abcdef0123456789abcdef/HEAD."


@dataclass(frozen=True, slots=True)
class _Names:
    """The grammar `user/id[/ref]` of provider `provider`."""

    provider: str

    def parse(self, raw_spec: str) -> LaunchSpec:
        """`user/id[/ref]`."""
        raw_user, _, rest = raw_spec.partition("/")
        raw_id, _, raw_ref = rest.partition("/")
        user, gist_id, ref = (decode_once(part) for part in (raw_user, raw_id, raw_ref))
        gist_id = gist_id.removesuffix(".git")
        if not _USER.fullmatch(user) or not _ID.fullmatch(gist_id):
            raise InvalidSpec(f"“{shown(f'{user}/{gist_id}')}” is not a gist.", advice=_FORM)
        if ref in _LATEST:
            ref = "HEAD"
        elif not is_commit_id(ref) and not looks_abbreviated(ref):
            raise InvalidSpec(
                f"A gist has no branch or tag “{shown(ref)}”.",
                advice=f"Use a commit id, or HEAD: /v2/gist/{user}/{gist_id}/HEAD.",
            )
        return LaunchSpec(self.provider, f"{user}/{gist_id}", ref)

    def format(self, spec: LaunchSpec) -> str:
        """The inverse of `parse`."""
        return f"{spec.repository}/{spec.ref}"


class GistProvider(Forge):
    """Gists, by their user and id."""

    id = "gist"
    tree_path = ""

    def __init__(self, *, settings: GistSettings, login: Login | None, api: GistApi) -> None:
        super().__init__(url=settings.url, grammar=_Names(self.id), api=api, login=login)

    @property
    def display(self) -> Mapping[str, Any]:
        """For the home page's form."""
        host = re.escape(self._host)
        return {
            "displayName": "Gist",
            "id": self.id,
            "spec": {"validateRegex": r"[^/]+/[^/]+(/[^/]+)?"},
            "detect": {
                "regex": rf"^(?:https?://{host}/)?(?<repo>[^/?#:]+/[^/?#]+?)"
                r"(?:\.git)?(?:/[0-9a-f]{40})?/?$"
            },
            "repo": {
                "label": "Gist ID (username/gistId) or URL",
                "placeholder": f"user/id or {self._url}/user/id",
            },
            "ref": {"enabled": True, "default": "HEAD"},
        }

    async def resolve(self, spec: LaunchSpec, known: Resolved | None) -> Resolution:
        """What GitHub says; of a full commit id too, since the gist may be a secret one."""
        return await self._api.fetch_commit(spec.repository, spec.ref, known)
