"""Unpacks a zip or a tar archive that a stranger made, within bounds.

Nothing lands outside the folder: names are checked, and only files and folders come out,
no links and no devices. What comes out is counted while it comes, whatever the archive says of it.
A single folder at the top is left away, as repo2docker does: archives that GitHub makes
have one.
"""

import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, BinaryIO, cast

from binder_federation.binder.errors import BuildFailed
from binder_federation.binder.providers.text import shown
from binder_federation.cluster_agent.stacks.sources.paths import place_below

MOST_MEMBERS = 100_000
_BLOCK_BYTES = 1 << 20
_ENCRYPTED = 0x1
_LARGEST_READ_BYTES = 16 << 20
"""tarfile reads a member's extended header at once; an honest one is small."""

_SUFFIXES = (".zip", ".tar.gz", ".tgz")
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # a way of packing that Python does not know
    UnicodeError,
    FileExistsError,
    NotADirectoryError,
    IsADirectoryError,
)


class Stopped(Exception):
    """Nobody wants it any more."""


def is_archive(name: str) -> bool:
    """Whether a file of this name is unpacked."""
    return name.lower().endswith(_SUFFIXES)


def unpack(
    archive: Path,
    target: Path,
    *,
    most_bytes: int,
    is_stopped: Callable[[], bool],
    most_members: int = MOST_MEMBERS,
) -> None:
    """Have `target` (new) hold what is in `archive`. Blocking.

    Raises `BuildFailed` when it is broken, too large or not to be trusted, `OSError` when the
    disk fails, `Stopped` soon after `is_stopped()`.
    """
    target.mkdir(parents=True)
    budget = _Budget(most_bytes, most_members, is_stopped)
    try:
        if archive.name.lower().endswith(".zip"):
            _unzip(archive, target, budget)
        else:
            _untar(archive, target, budget)
    except _BROKEN as error:
        raise BuildFailed(
            f"The archive {archive.name} cannot be unpacked: it is broken."
        ) from error
    _lift_single_folder(target)


class _Budget:
    """Counts what comes out."""

    def __init__(self, most_bytes: int, most_members: int, is_stopped: Callable[[], bool]) -> None:
        self._most_bytes = most_bytes
        self._most_members = most_members
        self._is_stopped = is_stopped
        self._bytes = 0
        self._members = 0

    def add_member(self) -> None:
        self._members += 1
        if self._members > self._most_members:
            raise BuildFailed(f"The archive holds more than {self._most_members:,} files.")

    def add_bytes(self, count: int) -> None:
        if self._is_stopped():
            raise Stopped
        self._bytes += count
        if self._bytes > self._most_bytes:
            raise too_large(self._most_bytes)


def too_large(most_bytes: int) -> BuildFailed:
    """The error for content that is more than a member takes."""
    return BuildFailed(f"The repository's files come to more than {most_bytes / 1e9:g} GB.")


def _unzip(archive: Path, target: Path, budget: _Budget) -> None:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            budget.add_member()
            if not (name := _plain(member.filename)):
                continue
            if member.flag_bits & _ENCRYPTED:
                raise BuildFailed(f"The archive {archive.name} has a password.")
            place = place_below(target, name)
            if member.is_dir():
                place.mkdir(parents=True, exist_ok=True)
                continue
            with opened.open(member) as source:
                _write(source, place, mode=member.external_attr >> 16, budget=budget)


def _untar(archive: Path, target: Path, budget: _Budget) -> None:
    """Nothing but files and folders: `tarfile`'s own filter for links has been led astray
    (CVE-2025-4517), and no content that people publish needs them."""
    with gzip.open(archive) as plain:
        counted = cast("BinaryIO", _CountedReader(cast("IO[bytes]", plain), budget))
        with tarfile.open(fileobj=counted, mode="r:") as opened:
            for member in opened:
                budget.add_member()
                if not (name := _plain(member.name)):
                    continue
                place = place_below(target, name)
                if member.isdir():
                    place.mkdir(parents=True, exist_ok=True)
                    continue
                source = None if member.issparse() else _content(opened, member)
                if source is None:
                    raise BuildFailed(f"“{shown(name)}” in {archive.name} is no plain file.")
                _write(source, place, mode=member.mode, budget=None)


def _content(opened: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes] | None:
    return opened.extractfile(member) if member.isreg() else None


def _write(source: IO[bytes], place: Path, *, mode: int, budget: "_Budget | None") -> None:
    """A new file; without a budget it is counted elsewhere."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("xb") as copy:
        while block := source.read(_BLOCK_BYTES):
            if budget is not None:
                budget.add_bytes(len(block))
            copy.write(block)
    if mode & stat.S_IXUSR:
        place.chmod(0o755)


def _plain(name: str) -> str:
    """The name without what means nothing; that of the archive's own folder is empty."""
    plain = name.removeprefix("./").rstrip("/")
    return "" if plain == "." else plain


class _CountedReader:
    """The unpacked stream as tarfile reads it: every byte of it counts."""

    def __init__(self, stream: IO[bytes], budget: _Budget) -> None:
        self._stream = stream
        self._budget = budget
        self._furthest = 0

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LARGEST_READ_BYTES:
            raise tarfile.ReadError("a header is too large")
        data = self._stream.read(size)
        self._count()
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Forward in steps: the stream has to be unpacked on the way."""
        if whence == 0:
            while offset - self._stream.tell() > _BLOCK_BYTES:
                if not self._stream.read(_BLOCK_BYTES):
                    break
                self._count()
        place = self._stream.seek(offset, whence)
        self._count()
        return place

    def tell(self) -> int:
        return self._stream.tell()

    def _count(self) -> None:
        place = self._stream.tell()
        if place > self._furthest:
            self._budget.add_bytes(place - self._furthest)
            self._furthest = place


def _lift_single_folder(target: Path) -> None:
    entries = list(target.iterdir())
    if len(entries) != 1 or not entries[0].is_dir() or entries[0].is_symlink():
        return
    lifted = target.with_name(f"{target.name}.lifted")
    entries[0].rename(lifted)
    shutil.rmtree(target)
    lifted.rename(target)
