"""Free TCP ports on this machine."""

import contextlib
import socket


def free_ports(count: int) -> list[int]:
    """`count` different ports that are free on 127.0.0.1 just now.

    Somebody else may take one before it is used; whoever uses it tries again then.
    """
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def is_port_taken(host: str, port: int) -> bool:
    """Whether nothing could listen on `host`:`port` now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False
