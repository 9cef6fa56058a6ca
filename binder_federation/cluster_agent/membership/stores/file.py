"""A membership in a file that its owner alone can read."""

import os
from pathlib import Path

from binder_federation.cluster_agent.membership.record import MembershipRecord, RecordUnreadable
from binder_federation.runtime.errors import Fault, ServiceError

FILE_NAME = "membership.json"


class RecordNotKept(ServiceError):
    """The file cannot be written."""

    code = "membership_not_kept"
    fault = Fault.MEMBER


class FileStore:
    """`membership.json` in the state folder."""

    poll_seconds = 1.0

    def __init__(self, *, state_dir: Path) -> None:
        self._file = state_dir / FILE_NAME

    def read(self) -> MembershipRecord | None:
        """As `load`, for who has no event loop."""
        try:
            text = self._file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise RecordUnreadable(
                f"The membership kept in {self._file} cannot be read.",
                advice="The agent's user must be its owner.",
            ) from error
        return MembershipRecord.from_text(text, where=str(self._file))

    async def load(self) -> MembershipRecord | None:
        """A small file: it needs no thread."""
        return self.read()

    async def save(self, record: MembershipRecord) -> None:
        """On the disk, under another name first."""
        new = self._file.with_name(f".{FILE_NAME}.{os.getpid()}")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            new.unlink(missing_ok=True)
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(record.to_text())
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._file)
        except OSError as error:
            raise RecordNotKept(
                f"{self._file} cannot be written: {os.strerror(error.errno or 0)}.",
                advice="The state folder (state_dir) must belong to the agent's user.",
            ) from error

    async def aclose(self) -> None:
        """Nothing is open."""
