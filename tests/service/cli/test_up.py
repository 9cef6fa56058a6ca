"""`binderfed up` that cannot start says why, at once, and leaves nothing."""

import asyncio
import socket
import sys
from pathlib import Path

import pytest

from tests.support.running_up import processes_that_mention


async def up(state_dir: Path, *arguments: str) -> tuple[int, str]:
    """Run `binderfed up` to its end; its status and all it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "binder_federation.federation.cli.main", "up"),
        *(f"--state-dir={state_dir}", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_a_part_that_does_not_start_is_explained(tmp_path: Path, free_port: int) -> None:
    more = tmp_path / "more.yaml"
    more.write_text("agent: {stack: nosuch}\n")

    status, output = await up(tmp_path / "state", f"--port={free_port}", f"--config={more}")

    assert status == 1
    assert "does not start" in output
    assert "stack: Input should be 'local'" in output, "the end of its log is shown"
    assert "Traceback" not in output
    assert processes_that_mention(str(tmp_path / "state")) == []


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, output = await up(tmp_path, f"--port={port}")

    assert status == 1
    assert f"Port {port}" in output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--members=0"], "Between 1 and 20 members"),
        (["--config=/nonexistent.yaml"], "cannot be read"),
    ],
)
async def test_wrong_options_are_told(
    tmp_path: Path, free_port: int, arguments: list[str], sentence: str
) -> None:
    status, output = await up(tmp_path, f"--port={free_port}", *arguments)

    assert status == 1
    assert sentence in output


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
