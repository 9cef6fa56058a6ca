"""Federation replicas as processes of their own, to be killed."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.support.eventually import eventually
from tests.support.ports import free_port


class Replica:
    """`binderfed serve` with settings of a test, on a free port."""

    def __init__(self, folder: Path, name: str, settings: Mapping[str, Any]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._config = folder / f"{name}.yaml"
        self._config.write_text(yaml.safe_dump({**settings, "port": self.port}))
        self._config.chmod(0o600)
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def output(self) -> str:
        """What it logged, all of its lives together."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    async def start(self, client: httpx.AsyncClient, *, members: int) -> None:
        """Start it, and wait until so many of its members are up."""
        command = [sys.executable, "-m", "binder_federation.federation.cli.main", "serve"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--config", str(self._config), "--die-with-parent"],
                stdout=log,
                stderr=log,
                env={**os.environ, "BINDERFED_LOG_LEVEL": "info"},
            )

        async def is_up() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, f"the replica ended:\n{self.output}"
            try:
                answer = await client.get(f"{self.url}/api/members")
            except httpx.HTTPError:
                return False
            states = [member["state"] for member in answer.json()["members"]]
            return states.count("up") >= members

        await eventually(is_up, what="a replica with all members up", within_seconds=60)

    async def kill(self) -> None:
        """As when its machine dies: SIGKILL."""
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            await asyncio.to_thread(process.wait)

    async def stop(self) -> int:
        """In order: SIGTERM."""
        assert self._process is not None
        process, self._process = self._process, None
        process.terminate()
        return await asyncio.to_thread(process.wait, 20)
