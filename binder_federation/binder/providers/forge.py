"""What hosts of git repositories have in common: pages, an API that knows commits, clones.

`github.py`, `gist.py`, `gitlab.py` and `bitbucket.py` derive from `Forge` and keep what is
their own: what the home page shows, the grammar, the login, the form of addresses.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from binder_federation.binder.providers.base import GitSource, Resolution, Resolved
from binder_federation.binder.providers.git_logins import Login, hosted_source
from binder_federation.binder.providers.refs import is_commit_id
from binder_federation.binder.spec import LaunchSpec


class Grammar(Protocol):
    """How a spec is written."""

    def parse(self, raw_spec: str) -> LaunchSpec:
        """The spec in a path, still percent-encoded. Raises `InvalidSpec`; nothing else."""

    def format(self, spec: LaunchSpec) -> str:
        """The inverse of `parse`."""


class Commits(Protocol):
    """An API that knows commits, such as a `ForgeApi`."""

    async def fetch_commit(self, repository: str, ref: str, known: Resolved | None) -> Resolution:
        """Which commit `ref` of `repository` stands for now."""


class Forge(ABC):
    """A host of git repositories, at the address that the operator's settings name."""

    id: str
    tree_path: str
    """What stands between the address of a repository's page and a commit."""
    clone_suffix: str = ".git"
    """What makes a repository's address for git of its page's."""

    def __init__(self, *, url: str, grammar: Grammar, api: Commits, login: Login | None) -> None:
        self._url = url.rstrip("/")
        self._grammar = grammar
        self._api = api
        self._login = login

    @property
    @abstractmethod
    def display(self) -> Mapping[str, Any]:
        """For the home page's form."""

    @property
    def _host(self) -> str:
        """Its name, and a port where there is one."""
        return urlsplit(self._url).netloc

    def parse(self, raw_spec: str) -> LaunchSpec:
        """As the grammar has it."""
        return self._grammar.parse(raw_spec)

    def check(self, spec: LaunchSpec) -> None:  # noqa: B027 - nothing is what most need
        """Nothing: the operator's settings say which host this is."""

    def format(self, spec: LaunchSpec) -> str:
        """The inverse of `parse`."""
        return self._grammar.format(spec)

    def repository_url(self, spec: LaunchSpec) -> str:
        """Its page."""
        return f"{self._url}/{spec.repository}"

    def ref_url(self, spec: LaunchSpec, resolved_ref: str) -> str:
        """Its files at a commit."""
        return f"{self.repository_url(spec)}{self.tree_path}/{resolved_ref}"

    async def resolve(self, spec: LaunchSpec, known: Resolved | None) -> Resolution:
        """What the host says; a full commit id is not asked for."""
        if is_commit_id(spec.ref):
            return Resolved(spec.ref.lower())
        return await self._api.fetch_commit(spec.repository, spec.ref, known)

    async def source(self, spec: LaunchSpec, resolved_ref: str = "") -> GitSource:  # noqa: ARG002 - the protocol's
        """The repository at the host, with our login when there is one."""
        url = f"{self.repository_url(spec)}{self.clone_suffix}"
        return hosted_source(url, host_url=self._url, login=self._login)
