"""Provider `git`: any repository that git can clone from a public address.

A spec is `<percent-encoded URL>/ref`; the URL has no plain `/`, so the ref may. git
itself has no conditional questions: each one is an `ls-remote`.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from binder_federation.binder.errors import (
    InvalidSpec,
    ProviderUnavailable,
    RepositoryNotFound,
)
from binder_federation.binder.providers.base import (
    GitSource,
    Missing,
    Resolution,
    Resolved,
    Unavailable,
    Unchanged,
)
from binder_federation.binder.providers.git_access import GitAccess
from binder_federation.binder.providers.git_urls import parse_git_url
from binder_federation.binder.providers.ls_remote import list_ref
from binder_federation.binder.providers.refs import check_ref, is_commit_id
from binder_federation.binder.providers.text import decode_once
from binder_federation.binder.spec import LaunchSpec

_FORM = "A link looks like /v2/git/https%3A%2F%2Fexample.org%2Frepository/HEAD."


class GitProvider:
    """Repositories anywhere, by their URL."""

    id = "git"

    def __init__(self, *, access: GitAccess, timeout_seconds: float) -> None:
        self._access = access
        self._timeout_seconds = timeout_seconds

    @property
    def display(self) -> Mapping[str, Any]:
        """For the home page's form."""
        return {
            "displayName": "Git repository",
            "id": self.id,
            "spec": {"validateRegex": r"[^/]+/.+"},
            "detect": {"regex": r"^(?<repo>(?:https?|git|ssh)://.+|[^@/\s]+@[^:/\s]+:.+)$"},
            "repo": {
                "label": "URL of a git repository",
                "placeholder": "https://example.org/repository",
                "urlEncode": True,
            },
            "ref": {"enabled": True, "default": "HEAD"},
        }

    def parse(self, raw_spec: str) -> LaunchSpec:
        """`<percent-encoded URL>/ref`."""
        raw_url, _, raw_ref = raw_spec.partition("/")
        text = decode_once(raw_url)
        if text.endswith(":") and "://" not in text:  # https:// with its slashes in plain
            raise InvalidSpec(
                "The repository's URL is not percent-encoded, so where it ends cannot be told.",
                advice=_FORM,
            )
        url = parse_git_url(text)
        ref = decode_once(raw_ref)
        if not ref:
            raise InvalidSpec(
                "The link does not say which ref of the repository to launch.",
                advice=f"Add one: /v2/git/{quote(url.text, safe='')}/HEAD.",
            )
        return LaunchSpec(self.id, url.text, check_ref(ref))

    def check(self, spec: LaunchSpec) -> None:
        """The URL's protocol and, where it is spelt out, its address."""
        self._access.check_url(spec.repository)

    def format(self, spec: LaunchSpec) -> str:
        """The inverse of `parse`."""
        return f"{quote(spec.repository, safe='')}/{quote(spec.ref, safe='/')}"

    def repository_url(self, spec: LaunchSpec) -> str:
        """The URL itself; of `http` and `https` ones there may be a page."""
        return spec.repository

    def ref_url(self, spec: LaunchSpec, resolved_ref: str) -> str:  # noqa: ARG002 - the protocol's
        """The same: where a host shows a commit is its own affair."""
        return spec.repository

    async def resolve(self, spec: LaunchSpec, known: Resolved | None) -> Resolution:
        """What `git ls-remote` says; a full commit id is not asked for."""
        if is_commit_id(spec.ref):
            self._access.check_url(spec.repository)
            return Resolved(spec.ref.lower())
        try:
            source = await self.source(spec)
        except RepositoryNotFound as error:
            return Missing("repository", error.message)
        except ProviderUnavailable as error:
            return Unavailable(error.message, error.retry_after_seconds)
        listed = await list_ref(source, spec.ref, deadline_seconds=self._timeout_seconds)
        return Unchanged() if listed == known else listed

    async def source(self, spec: LaunchSpec, resolved_ref: str = "") -> GitSource:  # noqa: ARG002 - the protocol's
        """The repository, its URL and addresses vetted anew."""
        return await self._access.source_for_url(spec.repository)
