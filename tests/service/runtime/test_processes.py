"""Real processes: found by their mark, ended, and ended with their parent."""

import asyncio
import os
import secrets
import signal
import sys
from pathlib import Path

import pytest

from binder_federation.runtime import processes
from binder_federation.runtime.processes import end_marked_processes, hold_marked_processes
from tests.support.eventually import eventually

MARK = "BINDERFED_TEST_MARK"


@pytest.fixture
def value() -> str:
    return secrets.token_hex(8)


async def start(value: str, script: str) -> asyncio.subprocess.Process:
    """A marked shell, which has begun when this returns."""
    process = await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", f"{script}"),
        env={MARK: value, "PATH": os.defpath},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        assert await process.stdout.readline() == b"begun\n"
    return process


def count(value: str) -> int:
    held = hold_marked_processes(MARK, value)
    for process in held:
        process.release()
    return len(held)


async def wait_for_count(value: str, wanted: int) -> None:
    """One that execs at the moment of a look is not counted."""

    async def is_counted() -> bool:
        return count(value) == wanted

    await eventually(is_counted, what=f"{wanted} marked processes")


async def test_what_carries_the_mark_is_ended_and_nothing_else(value: str) -> None:
    marked = await start(value, "echo begun; exec sleep 600")
    other = await start("another", "echo begun; exec sleep 600")
    try:
        assert await end_marked_processes(MARK, value, grace_seconds=5) == 1
        assert await marked.wait() == -signal.SIGTERM
        assert other.returncode is None
    finally:
        other.kill()
        await other.wait()


async def test_one_that_execs_all_the_time_is_found(value: str, tmp_path: Path) -> None:
    """Its environment reads as empty while it does."""
    script = tmp_path / "again"
    script.write_text('#!/bin/sh\n[ "$1" = 0 ] && exec sleep 600\nexec "$0" $(($1 - 1))\n')
    script.chmod(0o755)
    for _ in range(5):
        process = await start(value, f"echo begun; exec {script} 50")
        await end_marked_processes(MARK, value, grace_seconds=5)
        assert await process.wait() == -signal.SIGTERM


async def test_one_that_does_not_listen_is_killed(value: str) -> None:
    stubborn = await start(value, "trap '' TERM; echo begun; while :; do sleep 600; done")
    await end_marked_processes(MARK, value, grace_seconds=0.3)
    assert await stubborn.wait() == -signal.SIGKILL
    assert count(value) == 0


async def test_one_that_left_its_group_and_parent_is_found(value: str) -> None:
    script = "(setsid sleep 600 > /dev/null 2>&1 &) ; echo begun"
    parent = await start(value, script)
    assert await parent.wait() == 0
    await wait_for_count(value, 1)
    await end_marked_processes(MARK, value, grace_seconds=5)
    assert count(value) == 0


async def test_one_that_starts_another_as_it_ends_is_followed(value: str) -> None:
    script = "trap 'setsid sleep 600 & exit 0' TERM; echo begun; while :; do sleep 0.05; done"
    process = await start(value, script)
    await end_marked_processes(MARK, value, grace_seconds=1)
    assert await process.wait() == 0
    assert count(value) == 0


async def test_there_may_be_none(value: str) -> None:
    assert await end_marked_processes(MARK, value, grace_seconds=5) == 0


async def test_a_grace_of_nothing_kills(value: str) -> None:
    process = await start(value, "trap '' TERM; echo begun; exec sleep 600")
    await end_marked_processes(MARK, value, grace_seconds=0)
    assert await process.wait() == -signal.SIGKILL


async def test_a_command_ends_with_its_parent(value: str) -> None:
    """The parent is a shell; what it starts through this module does not outlive it."""
    command = f"{sys.executable} -m {processes.__name__} sh -c 'echo begun; exec sleep 600'"
    parent = await start(value, f"{command} & wait")
    await wait_for_count(value, 2)
    parent.kill()
    await parent.wait()

    async def child_is_gone() -> bool:
        return count(value) == 0

    await eventually(child_is_gone, what="the child to end with its parent")


async def test_a_parent_that_is_gone_already_is_noticed(value: str) -> None:
    code = (
        "from binder_federation.runtime.processes import die_with_parent; "
        "die_with_parent(parent_pid=1 << 30); print('still here')"
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await child.communicate()
    assert (child.returncode, output) == (-signal.SIGTERM, b"")
