"""Clients from npm, as others use them: installed as locked, run by Node.

`tests/support/npm/` has the packages with their versions and checksums. They are installed into a
folder of the test run; a machine without Node skips what needs them, and says so.
"""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parent / "npm"
INSTALL_SECONDS = 120
RUN_SECONDS = 30


class NpmClient:
    """`@jupyterhub/binderhub-client`, installed in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def packages(self) -> Path:
        """The folder of the installed packages."""
        return self._folder / "node_modules"

    async def launch(self, federation_url: str, spec: str, **options: Any) -> list[dict[str, Any]]:
        """The events of a launch of `<provider>/<spec>`, as the package gives them."""
        process = await asyncio.create_subprocess_exec(
            "node",
            "launch.mjs",
            f"{federation_url}/build",
            spec,
            json.dumps(options),
            cwd=self._folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(RUN_SECONDS):
                told, complaints = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, complaints.decode()
        return [json.loads(line) for line in told.splitlines()]


async def install_npm_client(folder: Path) -> NpmClient:
    """The client, installed into `folder`, which does not exist yet."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node is missing: install nodejs and npm.")
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("node_modules"))
    process = await asyncio.create_subprocess_exec(
        *("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(INSTALL_SECONDS):
        told, _ = await process.communicate()
    assert process.returncode == 0, f"npm could not install the client:\n{told.decode()}"
    return NpmClient(folder)
