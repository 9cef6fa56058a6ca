"""Checks a repository out at one commit, with its submodules, under the rules for URLs.

The commit alone is fetched where the server allows that, else everything. Git's own
submodule command is not used: each submodule's URL is a stranger's as much as the
repository's, so it is vetted the same way before anything is fetched from it.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from binder_federation.binder.errors import (
    BuildFailed,
    MemberBuildFailed,
    RefNotFound,
    RepositoryNotFound,
)
from binder_federation.binder.providers.base import GitSource
from binder_federation.binder.providers.git_commands import GitResult, run_git
from binder_federation.cluster_agent.stacks.sources.submodules import (
    Submodule,
    absolute_url,
    read_submodules,
)
from binder_federation.runtime.errors import ServiceError

FindSource = Callable[[str], Awaitable[GitSource]]

_GIT_SECONDS = 900.0
_LOCAL_SECONDS = 300.0
_DEEPEST = 5
_MOST_SUBMODULES = 100

_NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded")
_GONE = re.compile(
    r"not found|does not exist|does not appear to be a git repository|returned error: 40[134]"
    r"|terminal prompts disabled|could not read (?:Username|Password)|Authentication failed"
    r"|Permission denied|access denied",
    re.IGNORECASE,
)
_NOT_THIS_COMMIT = re.compile(
    r"not our ref|unadvertised object|couldn't find remote ref|no such remote ref"
    r"|remote error: upload-pack|does not support",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Checkout:
    """One checkout in progress. `environment` is added to git's variables (our marks)."""

    find_source: FindSource
    on_line: Callable[[str], None]
    environment: dict[str, str]
    _submodules: int = field(default=0, init=False)

    async def make(self, source: GitSource, commit: str, target: Path, *, depth: int = 0) -> None:
        """Have `target` (new) hold `commit` from `source`, and its submodules.

        Raises `RefNotFound` or `RepositoryNotFound`, `BuildFailed` for a submodule that
        cannot be had, `MemberBuildFailed` when the member cannot fetch now.
        """
        marked = replace(source, environment={**source.environment, **self.environment})
        await self._local(marked, "init", "--quiet", str(target), cwd=target.parent)
        await self._local(marked, "remote", "add", "origin", source.url, cwd=target)
        await self._fetch(marked, commit, target)
        checked_out = await run_git(
            ["checkout", "--quiet", "--detach", commit, "--"],
            source=GitSource(url="", environment=self.environment),
            cwd=target,
            deadline_seconds=_LOCAL_SECONDS,
            on_line=self.on_line,
        )
        if not checked_out.is_ok:
            raise _failure(checked_out)
        head = await self._local(marked, "rev-parse", "--verify", "HEAD", cwd=target)
        if head.output.strip() != commit:
            raise MemberBuildFailed("The checkout is not at the commit that was asked for.")
        await self._add_submodules(marked, target, depth)

    async def _fetch(self, source: GitSource, commit: str, target: Path) -> None:
        alone = await self._remote(source, target, "--depth=1", "--no-tags", "origin", commit)
        if alone.is_ok:
            return
        if not _NOT_THIS_COMMIT.search(alone.errors):
            raise _failure(alone)
        self.on_line("The server does not give single commits; fetching everything.")
        everything = await self._remote(
            source, target, "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*"
        )
        if not everything.is_ok:
            raise _failure(everything)
        found = await run_git(
            ["cat-file", "-e", f"{commit}^{{commit}}"], cwd=target, deadline_seconds=_LOCAL_SECONDS
        )
        if not found.is_ok:
            raise RefNotFound(f"The repository has no commit {commit}.")

    async def _add_submodules(self, source: GitSource, target: Path, depth: int) -> None:
        submodules = await read_submodules(target)
        if submodules and depth >= _DEEPEST:
            raise BuildFailed(f"The submodules are nested more than {_DEEPEST} deep.")
        for submodule in submodules:
            self._submodules += 1
            if self._submodules > _MOST_SUBMODULES:
                raise BuildFailed(f"There are more than {_MOST_SUBMODULES} submodules.")
            await self._add_submodule(source, submodule, target, depth)

    async def _add_submodule(
        self, parent: GitSource, submodule: Submodule, target: Path, depth: int
    ) -> None:
        url = absolute_url(parent.url, submodule.url)
        self.on_line(f"Fetching the submodule {submodule.path} from {url}")
        try:
            source = await self.find_source(url)
            await self.make(source, submodule.commit, target / submodule.path, depth=depth + 1)
        except MemberBuildFailed:
            raise
        except ServiceError as error:
            raise BuildFailed(
                f"The submodule {submodule.path} cannot be fetched. {error.message}",
                advice=error.advice,
            ) from error

    async def _remote(self, source: GitSource, target: Path, *arguments: str) -> GitResult:
        return await run_git(
            ["fetch", "--quiet", "--no-recurse-submodules", *arguments],
            source=source,
            cwd=target,
            deadline_seconds=_GIT_SECONDS,
            on_line=self.on_line,
        )

    async def _local(self, source: GitSource, *arguments: str, cwd: Path) -> GitResult:
        result = await run_git(arguments, source=source, cwd=cwd, deadline_seconds=_LOCAL_SECONDS)
        if not result.is_ok:
            raise _failure(result)
        return result


def _failure(result: GitResult) -> ServiceError:
    if result.is_timed_out:
        return MemberBuildFailed("Fetching the repository took too long.")
    if _NO_SPACE.search(result.errors):
        return MemberBuildFailed("The member's disk is full.")
    if _GONE.search(result.errors):
        return RepositoryNotFound("The repository is not there any more, or it is private.")
    return MemberBuildFailed("The member could not fetch the repository; the log says why.")
