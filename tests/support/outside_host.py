"""A host on another network than this machine's containers: a network namespace of its own.

It stands for the internet: what reaches it was passed on by this machine, through Docker's rules.
It takes root and iproute2.
"""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tests.support.eventually import eventually

ADDRESS = "198.18.255.2"
"""Of the range for tests between networks (RFC 2544)."""
_GATEWAY = "198.18.255.1"
_LISTEN = """
import socket, sys, time
sockets = [socket.create_server(("", int(port)), backlog=64) for port in sys.argv[1:]]
time.sleep(300)
"""


@asynccontextmanager
async def outside_host(ports: Sequence[int]) -> AsyncIterator[str]:
    """Its address; it takes connections at these TCP ports."""
    name = f"out{os.getpid()}"
    here, there = f"{name}h"[:15], f"{name}t"[:15]
    _ip("netns", "add", name)
    try:
        _ip("link", "add", here, "type", "veth", "peer", "name", there)
        _ip("link", "set", there, "netns", name)
        _ip("address", "add", f"{_GATEWAY}/30", "dev", here)
        _ip("link", "set", here, "up")
        _ip("-n", name, "address", "add", f"{ADDRESS}/30", "dev", there)
        _ip("-n", name, "link", "set", there, "up")
        _ip("-n", name, "route", "add", "default", "via", _GATEWAY)
        arguments = [sys.executable, "-c", _LISTEN, *map(str, ports)]
        listener = subprocess.Popen(["ip", "netns", "exec", name, *arguments])
        try:
            await eventually(lambda: _answers(ports[-1]), what="the outside host to listen")
            yield ADDRESS
        finally:
            listener.kill()
            listener.wait(timeout=10)
    finally:
        _ip("netns", "delete", name)


async def _answers(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection((ADDRESS, port), timeout=1).close()
        return True
    return False


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=30)
