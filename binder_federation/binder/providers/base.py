"""What a repo provider is: a grammar, a way to resolve a ref, a place where content comes from.

A provider keeps no state: what was learned last time comes in as `known` and goes
out in the answer, and `resolver.py` decides how long an answer is believed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from binder_federation.binder.spec import LaunchSpec


@dataclass(frozen=True, slots=True)
class Resolved:
    """The ref stands for `resolved_ref`, which never changes. `etag` makes the next
    question cheap."""

    resolved_ref: str
    etag: str = ""
    repository: str = ""
    """What the repository is properly called, where that is not what was asked for: a DOI for
    all versions stands for the DOI of the latest one."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Still what it was when `known` was learned."""


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no such repository (`what="repository"`) or no such ref (`what="ref"`)."""

    what: str
    message: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The provider did not answer, or has no quota left for us."""

    message: str
    retry_after_seconds: float | None = None


Resolution = Resolved | Unchanged | Missing | Unavailable


@dataclass(frozen=True, slots=True)
class GitSource:
    """Where git fetches a repository, and what it must be told to do so safely.

    `config` are `-c` settings and `environment` variables of the git process (they
    may hold credentials: never log them, never put them in arguments).
    """

    url: str
    config: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file to download. `path` is relative, with `/`; `checksum` is like `md5:…`, or empty."""

    path: str
    url: str
    size_bytes: int | None = None
    checksum: str = ""


@dataclass(frozen=True, slots=True)
class FileSource:
    """Content that is files at addresses: a record of a data repository.

    `url` is the record's own. `origins` are those that the operator's settings name
    (`https://zenodo.org`): the rule for strangers' addresses does not apply to them.
    """

    url: str
    files: tuple[RemoteFile, ...]
    origins: tuple[str, ...] = ()
    unpack: bool = False
    """Whether a single file that is an archive stands for what is in it."""
    notes: tuple[str, ...] = ()
    """Lines for the build's log."""


Source = GitSource | FileSource


class RepoProvider(Protocol):
    """One kind of source, such as GitHub."""

    @property
    def id(self) -> str:
        """The first part of a launch path: `gh`."""

    @property
    def display(self) -> Mapping[str, Any]:
        """What the home page needs to know, in the shape of BinderHub's
        `/api/repoproviders`: displayName, id, spec.validateRegex, detect.regex,
        repo.{label,placeholder}, ref.{enabled,default}."""

    def parse(self, raw_spec: str) -> LaunchSpec:
        """The spec in a path, still percent-encoded. Raises `InvalidSpec`; nothing else."""

    def format(self, spec: LaunchSpec) -> str:
        """The percent-encoded path after `<provider>/`; `parse(format(s)) == s`."""

    def check(self, spec: LaunchSpec) -> None:
        """What can be told without asking anybody: raises `SpecBanned` when the repository's
        protocol or literal address is not allowed."""

    def repository_url(self, spec: LaunchSpec) -> str:
        """The repository's address for people."""

    def ref_url(self, spec: LaunchSpec, resolved_ref: str) -> str:
        """The address of its content at `resolved_ref`, for people."""

    async def resolve(self, spec: LaunchSpec, known: Resolved | None) -> Resolution:
        """What `spec.ref` stands for now. Raises `SpecBanned` when the repository's
        protocol or address is not allowed."""

    async def source(self, spec: LaunchSpec, resolved_ref: str = "") -> Source:
        """Where its content comes from. What is not git must be asked for at `resolved_ref`;
        git is told the commit by its caller. Raises `SpecBanned` like `resolve`,
        `ProviderUnavailable` when its host cannot be found or does not answer,
        `RepositoryNotFound` when it is gone."""
