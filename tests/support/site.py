"""How the parts of a test meet: programs on this machine, and pods of a cluster next to it.

Pods cannot reach this machine's loopback address. What they need of it (a registry's API, git,
the federation) listens on `host_address()`, which they can reach: `BINDERFED_TEST_HOST`, or the
gateway of Docker's own network.
"""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_network


def host_address() -> str:
    """The address at which pods reach this machine."""
    given = os.environ.get("BINDERFED_TEST_HOST", "")
    if given:
        return given
    template = "{{json (index .IPAM.Config 0)}}"
    asked = subprocess.run(
        ["docker", "network", "inspect", "bridge", "--format", template],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert asked.returncode == 0, (
        "BINDERFED_TEST_HOST must name the address at which pods reach this machine"
    )
    network = json.loads(asked.stdout)
    if network.get("Gateway"):
        return str(network["Gateway"])
    return str(next(ip_network(network["Subnet"]).hosts()))  # Docker's own choice


class TcpGate:
    """Passes connections to `host:port` of this machine on to `target`, until it is shut."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._open: set[asyncio.StreamWriter] = set()
        self._is_shut = False
        self.address = ""

    def shut(self) -> None:
        """Cut what is open, refuse what comes."""
        self._is_shut = True
        for writer in list(self._open):
            writer.transport.abort()

    def reopen(self) -> None:
        """Let connections through again."""
        self._is_shut = False

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        if self._is_shut:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, far_writer}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(pump(reader, far_writer))
                group.create_task(pump(far_reader, writer))
        finally:
            self._open -= {writer, far_writer}


@asynccontextmanager
async def tcp_gate(host: str, target: tuple[str, int]) -> AsyncIterator[TcpGate]:
    """A gate that listens on a free port of `host`; `address` is `host:port`."""
    gate = TcpGate(target)
    server = await asyncio.start_server(gate.handle, host, 0)
    gate.address = f"{host}:{server.sockets[0].getsockname()[1]}"
    try:
        yield gate
    finally:
        server.close()
        gate.shut()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes, until it ends."""
    with suppress(ConnectionError, TimeoutError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with suppress(ConnectionError, OSError):
        writer.close()
