"""The document in a file of this machine, for one replica; the audit in another beside it.

The file is replaced, never written into, so that a crash leaves the old one or the new one.
A lock holds while it is compared and replaced: the process that ends and the one that
follows it may both be there for a moment.
"""

import asyncio
import fcntl
import os
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from binder_federation.config.load import ConfigurationError
from binder_federation.federation.steering.audit import MOST_ENTRIES, AuditEntry
from binder_federation.federation.steering.document import SteeringDocument
from binder_federation.federation.steering.store import SteeringUnavailable

PRIVATE = 0o600


class FileSteeringStore:
    """A `SteeringStore` in the file at `path`, which need not be there yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._audit_path = path.with_name(f"{path.name}.audit.jsonl")
        self._lock_path = path.with_name(f"{path.name}.lock")
        self._known: tuple[tuple[int, int, int], SteeringDocument] | None = None

    async def revision(self) -> int:
        """The revision of the document that is kept; 0 when there is none."""
        found = await self.load()
        return found.revision if found else 0

    async def load(self) -> SteeringDocument | None:
        """The document that is kept. Raises `ConfigurationError` for one that cannot be read:
        to go on without it would undo every ban."""
        return await asyncio.to_thread(self._load)

    async def replace(
        self, new: SteeringDocument, *, expected_revision: int, entry: AuditEntry | None = None
    ) -> bool:
        """Keep `new` if the kept revision is `expected_revision`; whether it was."""
        return await asyncio.to_thread(self._replace, new, expected_revision, entry)

    async def read_audit(self, limit: int) -> list[AuditEntry]:
        """The last `limit` entries, the latest first."""
        return await asyncio.to_thread(self._read_audit, limit)

    async def keep(self, document: SteeringDocument) -> None:
        """Keep this one whatever is there: a copy of what is kept elsewhere."""
        with _as_unavailable(self._path):
            await asyncio.to_thread(write_private, self._path, _to_text(document))

    def _load(self) -> SteeringDocument | None:
        try:
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
            if self._known is None or self._known[0] != stamp:
                text = self._path.read_text(encoding="utf-8")
                self._known = (stamp, SteeringDocument.model_validate_json(text))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigurationError(f"{self._path} cannot be read: {error.strerror}.") from error
        except ValidationError as error:
            raise ConfigurationError(
                f"The live orders in {self._path} cannot be read. Mend the file, or move it away "
                "to begin without any."
            ) from error
        return self._known[1]

    def _replace(
        self, new: SteeringDocument, expected_revision: int, entry: AuditEntry | None
    ) -> bool:
        with _as_unavailable(self._path), self._locked():
            kept = self._load()
            if (kept.revision if kept else 0) != expected_revision:
                return False
            if entry is not None:  # first: no change without its entry
                self._append(entry)
            write_private(self._path, _to_text(new))
            return True

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(self._lock_path, os.O_CREAT | os.O_RDWR, PRIVATE)) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _append(self, entry: AuditEntry) -> None:
        descriptor = os.open(self._audit_path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, PRIVATE)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(entry.model_dump_json(exclude_defaults=True) + "\n")

    def _read_audit(self, limit: int) -> list[AuditEntry]:
        try:
            with self._audit_path.open(encoding="utf-8") as file:
                last = deque(file, maxlen=min(limit, MOST_ENTRIES))
        except FileNotFoundError:
            return []
        return [AuditEntry.model_validate_json(line) for line in reversed(last)]


def write_private(path: Path, text: str) -> None:
    """Replace the file by one that only its owner may read; it is on the disk after this."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:  # mkstemp makes it 0600
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _to_text(document: SteeringDocument) -> str:
    return document.model_dump_json(exclude_defaults=True)


@contextmanager
def _as_unavailable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SteeringUnavailable(
            f"The live orders cannot be written: {error.strerror}. What is in force stays.",
            advice=f"Look at the disk and the rights of {path}.",
        ) from error
