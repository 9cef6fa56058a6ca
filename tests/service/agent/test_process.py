"""The agent as a process: ready file, signals, settings that cannot be used."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from binder_federation import __version__
from tests.support.eventually import eventually

ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def running(*arguments: str | Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m arguments…`, killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *map(str, arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            name: value
            for name, value in os.environ.items()
            if not name.startswith("BINDERFED_AGENT_")
        },
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def ready_agent(
    tmp_path: Path, behaviour: str = "well"
) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    ready_file = tmp_path / "ready.json"
    async with running("tests.support.run_fake_agent", ready_file, behaviour) as process:

        async def is_there() -> bool:
            return ready_file.exists() or process.returncode is not None

        await eventually(is_there, what="the ready file", within_seconds=20)
        yield process, json.loads(ready_file.read_text())


async def finished(process: asyncio.subprocess.Process) -> tuple[int, str]:
    """Exit status and what it said on stderr."""
    async with asyncio.timeout(20):
        _, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, errors.decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_where_it_is_and_stops_on_a_signal(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with ready_agent(tmp_path) as (process, ready):
        assert ready["pid"] == process.pid
        assert ready["hub_url"].startswith("http://127.0.0.1:")
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{ready['url']}/versions")
        assert answer.json()["binder-federation"] == __version__
        process.send_signal(number)
        status, errors = await finished(process)
        assert status == 0, errors
        assert "agent_ready" in errors
        assert "agent_stopped" in errors
        assert not (tmp_path / "ready.json").exists()


async def test_a_signal_ends_it_also_while_the_stack_starts(tmp_path: Path) -> None:
    async with running("tests.support.run_fake_agent", tmp_path / "ready", "slow") as process:
        assert process.stderr is not None
        async with asyncio.timeout(20):
            assert await process.stderr.readline() == b"starting\n"
        process.terminate()
        status, errors = await finished(process)
    assert status == 0, errors


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    async with ready_agent(tmp_path, "stubborn") as (process, _):
        process.terminate()
        assert process.stderr is not None
        async with asyncio.timeout(20):
            while await process.stderr.readline() != b"closing\n":
                pass
        process.terminate()
        status, _ = await finished(process)
    assert status == 130


AGENT = "binder_federation.cluster_agent.cli"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: alpha\n", "credential"),
        ("name: Alpha!\ncredential: x\n", "name"),
        ("name: alpha\ncredential: x\nprot: 1\n", "prot"),
        ("- not a mapping\n", "mapping"),
        ("name: alpha\ncredential: x\nport: 70000\n", "port"),
    ],
)
async def test_bad_settings_are_one_line_and_status_2(
    tmp_path: Path, text: str, expected: str
) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text(text)
    async with running(AGENT, "serve", "--config", file) as process:
        status, errors = await finished(process)
    assert status == 2
    assert expected in errors
    assert len(errors.strip().splitlines()) == 1, errors


async def test_a_missing_file_is_status_2(tmp_path: Path) -> None:
    async with running(AGENT, "serve", "--config", tmp_path / "nonesuch.yaml") as process:
        status, errors = await finished(process)
    assert status == 2
    assert "nonesuch.yaml" in errors


async def test_a_taken_port_is_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        async with running(
            "tests.support.run_fake_agent", tmp_path / "ready", "well", port
        ) as process:
            status, errors = await finished(process)
    assert status != 0
    assert f"127.0.0.1:{port} cannot be listened on" in errors


async def test_help_teaches_and_version_is_told() -> None:
    async with running(AGENT, "serve", "--help") as process:
        output, _ = await process.communicate()
    assert b"federation_url" in output
    assert b"--die-with-parent" in output
    async with running(AGENT, "version") as process:
        output, _ = await process.communicate()
    assert output.decode() == f"binderfed-agent {__version__}\n"
