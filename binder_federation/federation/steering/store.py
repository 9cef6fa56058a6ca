"""Where the steering document and its audit are kept: the contract of `stores/`.

A store compares the revision before it writes, so that of two changes at once one begins
again from what the other made. It keeps the audit in the same step as the document: there is
no change without its entry.
"""

from typing import Protocol

from binder_federation.federation.steering.audit import AuditEntry
from binder_federation.federation.steering.document import SteeringDocument
from binder_federation.runtime.errors import ServiceError


class SteeringUnavailable(ServiceError):
    """The store cannot be asked, so nothing was changed; what is in force stays."""

    code = "steering_unavailable"
    status = 503
    retryable = True


class SteeringStore(Protocol):
    """Keeps one document. Every method raises `SteeringUnavailable` when it cannot."""

    async def revision(self) -> int:
        """The revision of the document that is kept; 0 when there is none."""

    async def load(self) -> SteeringDocument | None:
        """The document that is kept."""

    async def replace(
        self, new: SteeringDocument, *, expected_revision: int, entry: AuditEntry | None = None
    ) -> bool:
        """Keep `new`, and `entry` with it, if the kept revision is `expected_revision`; whether
        it was."""

    async def read_audit(self, limit: int) -> list[AuditEntry]:
        """The last `limit` entries, the latest first."""
