"""Connections: how many, how slow, and how much of each is in memory before anybody asked for it.

aiohttp serves; this bounds what a connection costs while it is nobody's yet.

- A connection that has not sent a request's whole head within `HEAD_SECONDS` is closed. So is one
  that is idle for longer than proxies keep theirs.
- Little of a body is read before its handler asks for it (`bodies.py`), and what a handler leaves
  unread is thrown away for `LINGER_SECONDS`: a client that is still sending would otherwise see a
  reset in the place of the answer.
- A few connections are accepted at a time: asyncio takes as many as wait, up to the backlog, before
  anybody else has a turn.
- When there are `MOST_CONNECTIONS`, those that have waited longest for a request go.

It uses what aiohttp 3.14 has inside (`RequestHandler`), since there is no other way to reach it.
"""

import asyncio
import itertools
import os
import resource
import socket
from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

HEAD_SECONDS = 10.0
KEEPALIVE_SECONDS = 75.0
"""Longer than nginx and the clouds' load balancers keep an idle connection (60 s)."""
LINGER_SECONDS = 2.0
READ_AT_ONCE = 16 * 1024
ACCEPT_AT_ONCE = 8
WAITING_CONNECTIONS = 1024
"""In the kernel's queue, until they are accepted."""
MOST_CONNECTIONS = 20_000
_MAKE_ROOM_FOR = 64
_SPARE_FILES = 256
"""For what is no visitor's connection."""


class _Connection(RequestHandler):
    """One connection, which has to come to its point."""

    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if hasattr(transport, "max_size"):
            transport.max_size = READ_AT_ONCE
        super().connection_made(transport)
        if self._keepalive_handle is not None:
            self._keepalive_handle.cancel()
            close_at = self._loop.time() + HEAD_SECONDS
            self._next_keepalive_close_time = close_at
            self._keepalive_handle = self._loop.call_at(close_at, self._process_keepalive)

    @property
    def is_waiting(self) -> bool:
        """Whether it has no request under way."""
        return self._current_request is None and not self._messages


class Runner(web.AppRunner):
    """An `AppRunner` whose connections are bounded. Handlers end when their client is gone."""

    def __init__(self, app: web.Application, *, shutdown_seconds: float) -> None:
        super().__init__(
            app,
            handler_cancellation=True,
            shutdown_timeout=shutdown_seconds,
            access_log=None,
            keepalive_timeout=KEEPALIVE_SECONDS,
            lingering_time=LINGER_SECONDS,
            read_bufsize=READ_AT_ONCE // 2,
        )
        self._most = most_connections()

    @property
    def server(self) -> Any:
        """What makes a connection's protocol."""
        made = super().server
        return None if made is None else self._accepting(made)

    def _accepting(self, server: Any) -> Callable[[], RequestHandler]:
        arguments, known = server._kwargs, server._connections  # noqa: SLF001 - see above
        loop = asyncio.get_running_loop()

        def accept() -> RequestHandler:
            if len(known) >= self._most:
                _make_room(known)
            return _Connection(server, loop=loop, **arguments)

        return accept


def _make_room(connections: Iterable[RequestHandler]) -> None:
    """Close the oldest of those that wait for a request."""
    waiting = (each for each in connections if isinstance(each, _Connection) and each.is_waiting)
    for connection in list(itertools.islice(waiting, _MAKE_ROOM_FOR)):
        connection.force_close()


async def listen(runner: Runner, host: str, port: int) -> web.TCPSite:
    """Listen. Raises OSError."""
    site = web.TCPSite(runner, host, port, backlog=ACCEPT_AT_ONCE)
    await site.start()
    server = site._server  # noqa: SLF001 - aiohttp does not show it
    for each in getattr(server, "sockets", ()):
        with socket.socket(fileno=os.dup(each.fileno())) as same:
            same.listen(WAITING_CONNECTIONS)
    return site


def most_connections() -> int:
    """As many as the process may have open files for. The limit is raised to what is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + _SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(64, min(MOST_CONNECTIONS, soft - _SPARE_FILES))
