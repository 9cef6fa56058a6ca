"""`binderfed serve` as a process, with the members that a test names."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.support.eventually import eventually
from tests.support.ports import free_port
from tests.support.running_up import FederationClient

STOP_SECONDS = 20.0
QUICK_HEALTH = {
    "probe_every_seconds": 2.0,
    "probe_timeout_seconds": 5.0,
    "down_probe_max_seconds": 4.0,
    "recover_after_seconds": 3.0,
    "slow_start_seconds": 10.0,
}


@dataclass
class FederationProcess(FederationClient):
    """A running federation; `log_file` has what it says."""

    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    async def wait_until(self, state: str, *names: str, within_seconds: float = 120) -> None:
        """Until each of these members is in `state` and has reported its load."""

        async def are_so() -> bool:
            assert self.process.poll() is None, f"the federation ended:\n{self.log[-3000:]}"
            members = await self.members()
            return all(members[name]["state"] == state and members[name]["load"] for name in names)

        await eventually(are_so, what=f"{', '.join(names)} to be {state}",
                         within_seconds=within_seconds)  # fmt: skip


@asynccontextmanager
async def federation_process(
    folder: Path, *, host: str, members: Sequence[dict[str, Any]], port: int = 0, **settings: Any
) -> AsyncIterator[FederationProcess]:
    """A federation that listens on `host`; it is ended with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {
        "host": host,
        "port": port or free_port(),
        "health": QUICK_HEALTH,
        "policy": {"rate_limit": {"launches": 0}},  # the visitors of a test share an address
        "members": list(members),
        **settings,
    }
    file, log_file = folder / "federation.yaml", folder / "federation.log"
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    command = [sys.executable, "-m", "binder_federation.federation.cli.main", "serve"]
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            [*command, "--config", str(file), "--die-with-parent"],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={**os.environ, "PYTHONUNBUFFERED": "1"}, start_new_session=True,
        )  # fmt: skip
    running = FederationProcess(
        url=f"http://{host}:{values['port']}", process=process, log_file=log_file
    )
    try:
        await eventually(_answers(running), what="the federation to answer", within_seconds=60)
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, STOP_SECONDS)


def _answers(running: FederationProcess) -> Any:
    async def answers() -> bool:
        assert running.process.poll() is None, f"the federation ended:\n{running.log[-3000:]}"
        try:
            async with httpx.AsyncClient(timeout=5) as client:
                return (await client.get(f"{running.url}/versions")).status_code == 200
        except httpx.TransportError:
            return False

    return answers
