"""Checklists as every replica can tell of them, and who makes the next one.

Without Redis in memory. With Redis `checks:<member>`, and a claim while a replica makes it: one
preflight at a time for each member. A Redis that is down costs a second preflight at most.
"""

from typing import Protocol

from pydantic import ValidationError

from binder_federation.binder.joining import JoinChecks
from binder_federation.federation.shared.connection import RedisConnection, RedisUnavailable

KEPT_SECONDS = 7 * 86_400


class Kept(JoinChecks):
    """A checklist, and when the next one may be made."""

    generation: int = 0
    """Of the membership that it is of."""
    failures: int = 0
    not_before: float = 0.0


class Checklists(Protocol):
    """What is known of members that join. Nothing here raises."""

    async def read(self, member: str) -> Kept | None:
        """The member's checklist as it was last written."""

    async def write(self, member: str, checks: Kept) -> None:
        """Let every replica tell of it."""

    async def claim(self, member: str, *, seconds: float) -> bool:
        """Whether this replica is to make the checklist; nobody else does, for so long."""

    async def release(self, member: str) -> None:
        """The next one may be made by anybody."""


class LocalChecklists:
    """One replica alone."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}

    async def read(self, member: str) -> Kept | None:
        """From memory."""
        return self._kept.get(member)

    async def write(self, member: str, checks: Kept) -> None:
        """To memory."""
        self._kept[member] = checks

    async def claim(self, member: str, *, seconds: float) -> bool:  # noqa: ARG002
        """There is nobody else."""
        return True

    async def release(self, member: str) -> None:
        """There is nobody else."""


class RedisChecklists(LocalChecklists):
    """In Redis, and in memory for when it is down."""

    def __init__(self, *, connection: RedisConnection) -> None:
        super().__init__()
        self._connection = connection

    async def read(self, member: str) -> Kept | None:
        """Within the background deadline."""
        name = self._connection.keys.checks(member)
        try:
            text = await self._connection.call_in_background(
                "checks", lambda client: client.get(name)
            )
        except RedisUnavailable:
            text = None
        try:
            return await super().read(member) if text is None else Kept.model_validate_json(text)
        except ValidationError:
            return None  # of another version of ours

    async def write(self, member: str, checks: Kept) -> None:
        """Within the background deadline, or here alone."""
        await super().write(member, checks)
        name, text = self._connection.keys.checks(member), checks.model_dump_json()
        try:
            await self._connection.call_in_background(
                "checks", lambda client: client.set(name, text, ex=KEPT_SECONDS)
            )
        except RedisUnavailable:
            return

    async def claim(self, member: str, *, seconds: float) -> bool:
        """The first who asks; this replica, when Redis cannot say."""
        name, value = self._claim(member), self._connection.replica_id
        try:
            taken = await self._connection.call_in_background(
                "checks", lambda client: client.set(name, value, nx=True, px=int(seconds * 1000))
            )
        except RedisUnavailable:
            return True
        return bool(taken)

    async def release(self, member: str) -> None:
        """Only what we have claimed: we hold it for longer than any preflight takes."""
        name = self._claim(member)
        try:
            await self._connection.call_in_background("checks", lambda client: client.delete(name))
        except RedisUnavailable:
            return

    def _claim(self, member: str) -> str:
        return self._connection.keys.claim(f"preflight:{member}")


def make_checklists(connection: RedisConnection | None) -> Checklists:
    """For one replica, or for many."""
    return LocalChecklists() if connection is None else RedisChecklists(connection=connection)
