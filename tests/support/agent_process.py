"""`binderfed-agent serve` as a process of the local stack, with the settings that a test names."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.eventually import eventually
from tests.support.ports import free_port

START_SECONDS = 240.0
STOP_SECONDS = 60.0


@dataclass
class AgentProcess:
    """A running agent; `log_file` has what it says."""

    name: str
    url: str
    process: subprocess.Popen[bytes]
    log_file: Path
    settings_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")


@asynccontextmanager
async def agent_process(
    folder: Path, name: str, *, environment: dict[str, str] | None = None, **settings: Any
) -> AsyncIterator[AgentProcess]:
    """An agent that serves; it is ended with the block, and its sessions with it."""
    folder.mkdir(parents=True, exist_ok=True)
    port, ready_file = free_port(), folder / "ready.json"
    values = {"name": name, "port": port, "state_dir": str(folder / "state"), **settings}
    settings_file, log_file = folder / "agent.yaml", folder / "agent.log"
    settings_file.write_text(yaml.safe_dump(values), encoding="utf-8")
    command = [sys.executable, "-m", "binder_federation.cluster_agent.cli", "serve"]
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            [*command, "--config", settings_file, "--ready-file", ready_file, "--die-with-parent"],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
            start_new_session=True,
        )  # fmt: skip
    agent = AgentProcess(name, f"http://127.0.0.1:{port}", process, log_file, settings_file)

    async def is_ready() -> bool:
        assert process.poll() is None, f"the agent ended:\n{agent.log[-3000:]}"
        return ready_file.exists() and "url" in json.loads(ready_file.read_text() or "{}")

    try:
        await eventually(is_ready, what=f"the agent {name} to serve", within_seconds=START_SECONDS)
        yield agent
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, STOP_SECONDS)
