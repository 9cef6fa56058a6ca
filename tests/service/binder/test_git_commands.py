"""git is run isolated, bounded, and leaves no process.

An alias that runs a shell makes git slow, loud or fertile here.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from binder_federation.binder.providers.base import GitSource
from binder_federation.binder.providers.git_commands import (
    MOST_OUTPUT_BYTES,
    GitResult,
    run_git,
)
from tests.support.eventually import eventually
from tests.support.git_repositories import make_repository
from tests.support.git_server import GitServer


async def run_shell(
    script: str,
    *,
    deadline_seconds: float = 10.0,
    on_line: Callable[[str], None] | None = None,
    source: GitSource | None = None,
) -> GitResult:
    """`script` in a shell that git starts."""
    arguments = ["-c", f"alias.run=!{script}", "run"]
    return await run_git(
        arguments, source=source, deadline_seconds=deadline_seconds, on_line=on_line
    )


async def ensure_ended(pid_file: Path) -> None:
    """Wait until the process whose id is in the file is gone (a zombie is)."""
    status = Path("/proc") / pid_file.read_text().strip() / "stat"

    async def is_gone() -> bool:
        try:
            return status.read_text().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    await eventually(is_gone, what=f"the end of process {status.parent.name}", within_seconds=5)


async def test_output_errors_and_code(tmp_path: Path) -> None:
    make_repository(tmp_path / "a", {"x": "1"})
    good = await run_git(["ls-files"], cwd=tmp_path / "a", deadline_seconds=10)
    assert (good.is_ok, good.output) == (True, "x\n")
    bad = await run_git(["no-such-command"], deadline_seconds=10)
    assert not bad.is_ok
    assert "not a git command" in bad.errors


async def test_a_deadline_ends_git_and_what_it_started(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    result = await run_shell(
        f"sleep 600 & echo $! > {pid_file}; echo begun; wait", deadline_seconds=0.5
    )
    assert (result.is_timed_out, result.is_ok) == (True, False)
    assert result.output == "begun\n"
    await ensure_ended(pid_file)


async def test_cancelling_ends_git_and_what_it_started(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    begun = asyncio.Event()
    run = asyncio.ensure_future(  # noqa: TID251 - the test holds the task
        run_shell(
            f"sleep 600 & echo $! > {pid_file}; echo begun; wait", on_line=lambda _: begun.set()
        )
    )
    await asyncio.wait_for(begun.wait(), 5)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await ensure_ended(pid_file)


async def test_what_git_leaves_behind_is_ended_too(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    result = await run_shell(f"sleep 600 >&- 2>&- <&- & echo $! > {pid_file}")
    assert result.is_ok
    await ensure_ended(pid_file)


async def test_lines_come_as_they_are_written() -> None:
    lines: list[str] = []
    await run_shell(r"printf 'one\ntwo\rthree\n\nfo'; printf 'ur' >&2", on_line=lines.append)
    assert sorted(lines) == sorted(["one", "two", "three", "fo", "ur"])


async def test_output_is_bounded() -> None:
    lines: list[str] = []
    result = await run_shell(
        f"head -c {MOST_OUTPUT_BYTES + 100_000} /dev/zero | tr '\\0' x", on_line=lines.append
    )
    assert result.is_ok
    assert result.is_truncated
    assert len(result.output) == MOST_OUTPUT_BYTES
    assert len(lines[0]) <= 8192


async def test_nothing_of_our_environment_or_configuration_reaches_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".gitconfig").write_text("[user]\n\tname = Leak\n")
    for name, value in {
        "HOME": str(tmp_path),
        "GIT_CONFIG_PARAMETERS": "'user.name=Leak'",
        "GIT_DIR": str(tmp_path),
        "HTTPS_PROXY": "http://leak.example",
        "SECRET_TOKEN": "Leak",
        "GIT_SSL_CAINFO": "/etc/our-ca.pem",
    }.items():
        monkeypatch.setenv(name, value)
    result = await run_shell("env; git config --list")
    assert result.is_ok, result.errors
    assert "leak" not in result.output.lower()
    assert "GIT_SSL_CAINFO=/etc/our-ca.pem" in result.output


async def test_without_a_source_git_reaches_nothing(git_server: GitServer) -> None:
    git_server.create("a")
    url = f"{git_server.url}/a"
    result = await run_git(["ls-remote", "--", url], deadline_seconds=10)
    assert not result.is_ok
    assert git_server.requests == []
    source = GitSource(url, environment={"GIT_ALLOW_PROTOCOL": "http"})
    result = await run_git(["ls-remote", "--", url], source=source, deadline_seconds=10)
    assert result.is_ok, result.errors


async def test_it_asks_nobody_for_credentials(git_server: GitServer) -> None:
    git_server.create("a")
    git_server.credentials = ("ada", "s3cret")
    source = GitSource(f"{git_server.url}/a", environment={"GIT_ALLOW_PROTOCOL": "http"})
    result = await run_git(["ls-remote", "--", source.url], source=source, deadline_seconds=10)
    assert not result.is_ok
    assert not result.is_timed_out
