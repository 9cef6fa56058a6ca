"""Real git repositories for tests, made in a moment and always with the same commits.

The commits' author and time are fixed, so the same files give the same ids. Nothing
of the machine's own git configuration is read.
"""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "Ada Test",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_NAME": "Ada Test",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
}


def run_git_here(*arguments: str, cwd: Path, stdin: str | None = None) -> str:
    """What `git <arguments>` prints in `cwd`, stripped; AssertionError if it fails."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=cwd,
        env=_ENVIRONMENT,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


@dataclass(frozen=True, slots=True)
class GitRepository:
    """One repository with a working tree at `path`; its methods return commit ids."""

    path: Path

    @property
    def file_url(self) -> str:
        """Its `file://` URL."""
        return self.path.resolve().as_uri()

    def commit(self, files: Mapping[str, str | bytes | None], message: str = "Change") -> str:
        """Write `files` (None removes one, a script in `#!` is executable) and commit all."""
        for name, content in files.items():
            _write(self.path / name, content)
        self.git("add", "--all")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.head()

    def branch(self, name: str, files: Mapping[str, str | bytes | None] | None = None) -> str:
        """A new branch `name` at the current commit, or with one more commit of `files`;
        the current branch stays what it was."""
        if files is None:
            self.git("branch", name)
            return self.head()
        current = self.git("symbolic-ref", "--short", "HEAD")
        self.git("checkout", "-q", "-b", name)
        commit = self.commit(files, f"On {name}")
        self.git("checkout", "-q", current)
        return commit

    def tag(self, name: str, *, annotated: bool = False, at: str = "HEAD") -> str:
        """A tag at `at`; returns the id of the commit it stands for."""
        self.git("tag", *(["-a", "-m", f"Tag {name}"] if annotated else []), name, at)
        return self.head(at)

    def add_submodule(self, path: str, url: str, commit: str) -> str:
        """Commit a submodule at `path` that stands at `commit` of `url`; fetches nothing."""
        with (self.path / ".gitmodules").open("a") as modules:
            modules.write(f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n')
        self.git("add", ".gitmodules")
        self.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
        self.git("commit", "-q", "-m", f"Add submodule {path}")
        return self.head()

    def head(self, ref: str = "HEAD") -> str:
        """The id of the commit that `ref` stands for."""
        return self.git("rev-parse", "--verify", f"{ref}^{{commit}}")

    def git(self, *arguments: str) -> str:
        """What `git <arguments>` prints in the working tree."""
        return run_git_here(*arguments, cwd=self.path)


def make_repository(
    path: Path, files: Mapping[str, str | bytes | None] | None = None, *, branch: str = "main"
) -> GitRepository:
    """A repository at `path` with one commit of `files` on `branch`.

    `files={}` leaves it empty, without any commit; by default it has a README.
    """
    path.mkdir(parents=True)
    repository = GitRepository(path)
    repository.git("init", "-q", "-b", branch)
    repository.git("config", "uploadpack.allowAnySHA1InWant", "true")
    wanted = {"README.md": f"# {path.name}\n"} if files is None else files
    if wanted:
        repository.commit(wanted, "Begin")
    return repository


def _write(path: Path, content: str | bytes | None) -> None:
    if content is None:
        path.unlink()
        return
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    if data.startswith(b"#!"):
        path.chmod(0o755)
