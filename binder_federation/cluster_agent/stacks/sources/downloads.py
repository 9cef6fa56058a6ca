"""Downloads a repository that is files at addresses, within bounds.

One file after the other; each is checked against what its provider said of it. All of it
together may be no larger than the settings say, and an archive that is the only file may
be unpacked. Addresses are vetted by `web_access.py`, names by `paths.py`.
"""

import asyncio
import hashlib
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx
import structlog
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from binder_federation.binder.errors import (
    BuildFailed,
    MemberBuildFailed,
    ProviderUnavailable,
    RepositoryNotFound,
)
from binder_federation.binder.providers.base import FileSource, RemoteFile
from binder_federation.binder.providers.text import shown
from binder_federation.binder.providers.web_access import WebAccess
from binder_federation.cluster_agent.stacks.host.files import remove_tree
from binder_federation.cluster_agent.stacks.sources.archives import (
    Stopped,
    is_archive,
    too_large,
    unpack,
)
from binder_federation.cluster_agent.stacks.sources.paths import check_distinct, place_below
from binder_federation.config.providers import DownloadSettings

log = structlog.get_logger(__name__)

_ATTEMPTS = 3
_BLOCK_BYTES = 1 << 20
_TOLD_EVERY_BYTES = 200_000_000
_STALL = httpx.Timeout(60.0, connect=15.0)
_CHECKSUMS = frozenset({"md5", "sha1", "sha256", "sha512"})


class _Passing(Exception):
    """It may go better the next time."""


@dataclass(slots=True)
class Download:
    """One repository's download."""

    access: WebAccess
    settings: DownloadSettings
    on_line: Callable[[str], None]
    _bytes: int = field(default=0, init=False)

    async def make(self, source: FileSource, target: Path) -> None:
        """Have `target` (new) hold the files of `source`.

        Raises `RepositoryNotFound` when one is gone, `BuildFailed` when they are too many, too
        large or not to be trusted, `MemberBuildFailed` when the member cannot have them now,
        `OSError` when its disk fails.
        """
        self._check(source)
        for note in source.notes:
            self.on_line(note)
        only = source.files[0]
        if source.unpack and len(source.files) == 1 and is_archive(only.path):
            await self._unpack(only, source, target)
            return
        await asyncio.to_thread(target.mkdir, parents=True)
        for file in source.files:
            await self._fetch(file, source, place_below(target, file.path))

    def _check(self, source: FileSource) -> None:
        if not source.files:
            raise RepositoryNotFound("It has no public files.")
        if len(source.files) > self.settings.most_files:
            raise BuildFailed(
                f"It has {len(source.files):,} files; {self.settings.most_files:,} are the most "
                "that this member takes."
            )
        check_distinct(file.path for file in source.files)
        if sum(file.size_bytes or 0 for file in source.files) > self.settings.most_bytes:
            raise too_large(self.settings.most_bytes)

    async def _unpack(self, file: RemoteFile, source: FileSource, target: Path) -> None:
        beside = target.with_name(f"{target.name}.download")
        beside.mkdir(parents=True)
        try:
            archive = beside / place_below(beside, file.path).name
            await self._fetch(file, source, archive)
            self.on_line(f"Unpacking {shown(archive.name)}")
            await self._unpack_in_thread(archive, target)
        finally:
            await asyncio.to_thread(remove_tree, beside)

    async def _unpack_in_thread(self, archive: Path, target: Path) -> None:
        """A thread cannot be cancelled: it is told, and waited for."""
        stop = threading.Event()
        unpacking = asyncio.get_running_loop().run_in_executor(
            None,
            lambda: unpack(
                archive, target, most_bytes=self.settings.most_bytes, is_stopped=stop.is_set
            ),
        )
        try:
            await asyncio.shield(unpacking)
        except asyncio.CancelledError:
            stop.set()
            with suppress(Stopped, BuildFailed, OSError):
                await unpacking
            raise

    async def _fetch(self, file: RemoteFile, source: FileSource, place: Path) -> None:
        size = f" ({file.size_bytes / 1e6:.1f} MB)" if file.size_bytes else ""
        self.on_line(f"Downloading {shown(file.path)}{size}")
        place.parent.mkdir(parents=True, exist_ok=True)
        before = self._bytes
        retrying = AsyncRetrying(
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            retry=retry_if_exception_type((httpx.TransportError, _Passing)),
            reraise=True,
        )

        async def attempt() -> None:
            self._bytes = before
            await self._attempt(file, source, place)

        try:
            async with asyncio.timeout(self.settings.file_timeout_seconds):
                await retrying(attempt)
        except TimeoutError as error:
            raise MemberBuildFailed(f"Downloading {shown(file.path)} took too long.") from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, _Passing) as error:
            log.warning("download_failed", url=file.url, error=repr(error))
            raise MemberBuildFailed(f"The member could not download {shown(file.path)}.") from error
        except ProviderUnavailable as error:
            raise MemberBuildFailed(error.message) from error

    async def _attempt(self, file: RemoteFile, source: FileSource, place: Path) -> None:
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        async with self.access.open(
            file.url, origins=source.origins, headers=headers, timeout=_STALL
        ) as response:
            _check_status(response, file)
            with place.open("wb") as copy:
                digest = await self._copy(response, copy, file)
        if digest and digest != file.checksum.partition(":")[2].lower():
            raise _Passing(f"{file.path} arrived damaged")

    async def _copy(self, response: httpx.Response, copy: IO[bytes], file: RemoteFile) -> str:
        """Returns the checksum of what came, in the way that the file's own was made."""
        kind = file.checksum.partition(":")[0].lower()
        digest = hashlib.new(kind, usedforsecurity=False) if kind in _CHECKSUMS else None
        received = 0
        async for block in response.aiter_bytes(_BLOCK_BYTES):
            self._bytes += len(block)
            if self._bytes > self.settings.most_bytes:
                raise too_large(self.settings.most_bytes)
            await asyncio.to_thread(_write, copy, block, digest)
            if (received + len(block)) // _TOLD_EVERY_BYTES > received // _TOLD_EVERY_BYTES:
                self.on_line(f"{(received + len(block)) / 1e6:.0f} MB of {shown(file.path)}")
            received += len(block)
        return digest.hexdigest() if digest else ""


def _write(copy: IO[bytes], block: bytes, digest: "hashlib._Hash | None") -> None:
    copy.write(block)
    if digest is not None:
        digest.update(block)


def _check_status(response: httpx.Response, file: RemoteFile) -> None:
    status = response.status_code
    if status == httpx.codes.OK:
        return
    if status in (401, 403, 451):
        raise RepositoryNotFound(f"The file {shown(file.path)} is not public.")
    if status in (400, 404, 410):
        raise RepositoryNotFound(f"The file {shown(file.path)} is not there any more.")
    raise _Passing(f"status {status}")
