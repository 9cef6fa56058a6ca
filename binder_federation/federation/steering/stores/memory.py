"""The document of a federation that keeps it nowhere: it ends with the process."""

from collections import deque

from binder_federation.federation.steering.audit import MOST_ENTRIES, AuditEntry
from binder_federation.federation.steering.document import SteeringDocument


class MemorySteeringStore:
    """A `SteeringStore` in memory."""

    def __init__(self) -> None:
        self._kept: SteeringDocument | None = None
        self._audit: deque[AuditEntry] = deque(maxlen=MOST_ENTRIES)

    async def revision(self) -> int:
        """The revision of the document that is kept; 0 when there is none."""
        return self._kept.revision if self._kept else 0

    async def load(self) -> SteeringDocument | None:
        """The document that is kept."""
        return self._kept

    async def replace(
        self, new: SteeringDocument, *, expected_revision: int, entry: AuditEntry | None = None
    ) -> bool:
        """Keep `new` if the kept revision is `expected_revision`; whether it was."""
        if await self.revision() != expected_revision:
            return False
        self._kept = new
        if entry is not None:
            self._audit.append(entry)
        return True

    async def read_audit(self, limit: int) -> list[AuditEntry]:
        """The last `limit` entries, the latest first."""
        return list(self._audit)[::-1][:limit]
