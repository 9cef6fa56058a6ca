"""What every place for a membership must do."""

from typing import Protocol

from binder_federation.cluster_agent.membership.record import MembershipRecord


class MembershipStore(Protocol):
    """Keeps one record. Errors are `ServiceError`s."""

    @property
    def poll_seconds(self) -> float:
        """How often it is worth while to look whether somebody else changed it."""

    async def load(self) -> MembershipRecord | None:
        """What is kept; None when nothing is."""

    async def save(self, record: MembershipRecord) -> None:
        """Keep it, whole or not at all; it survives this process once this returns."""

    async def aclose(self) -> None:
        """Close connections."""
