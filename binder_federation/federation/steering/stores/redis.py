"""The document in Redis, for all replicas: a hash that is compared before it is written.

A write that is not answered in time may have been done: then the next question for the
revision brings it, with its audit entry, and whoever asked for it was told to look.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from binder_federation.federation.shared.connection import RedisConnection, RedisUnavailable
from binder_federation.federation.steering.audit import MOST_ENTRIES, AuditEntry
from binder_federation.federation.steering.document import SteeringDocument
from binder_federation.federation.steering.store import SteeringUnavailable
from binder_federation.federation.steering.stores.scripts import REPLACE

if TYPE_CHECKING:
    from redis.asyncio import Redis

MOST_DIGITS = 15


class RedisSteeringStore:
    """A `SteeringStore` in Redis."""

    def __init__(self, connection: RedisConnection) -> None:
        self._connection = connection
        self._document_key = connection.keys.steering
        self._audit_key = connection.keys.steering_audit

    async def revision(self) -> int:
        """The revision of the document that is kept; 0 when there is none."""
        found = await self._ask(lambda client: client.hget(self._document_key, "revision"))
        revision = self._connection.decoded("steering", lambda: read_revision(found))
        if revision is None:
            raise SteeringUnavailable(
                "The revision of the live orders in Redis cannot be read. What is in force stays.",
                advice="Somebody has changed the key `steering` by hand: delete it, and the "
                "replicas write back what is in force.",
            )
        return revision

    async def load(self) -> SteeringDocument | None:
        """The document that is kept. One that cannot be read is as good as none."""
        found = await self._ask(lambda client: client.hget(self._document_key, "document"))
        if not found:
            return None
        try:
            return SteeringDocument.model_validate_json(found)
        except ValidationError as error:
            self._connection.note_unreadable("steering", error)
            raise SteeringUnavailable("The live orders in Redis cannot be read.") from error

    async def replace(
        self, new: SteeringDocument, *, expected_revision: int, entry: AuditEntry | None = None
    ) -> bool:
        """Keep `new` if the kept revision is `expected_revision`; whether it was."""
        arguments = (
            str(expected_revision),
            str(new.revision),
            new.model_dump_json(exclude_defaults=True),
            entry.model_dump_json(exclude_defaults=True) if entry else "",
            str(MOST_ENTRIES),
        )
        answer = await self._ask(
            lambda client: client.eval(REPLACE, 2, self._document_key, self._audit_key, *arguments)
        )
        return bool(answer)

    async def read_audit(self, limit: int) -> list[AuditEntry]:
        """The last `limit` entries, the latest first."""
        found = await self._ask(lambda client: client.xrevrange(self._audit_key, count=limit))
        read = (
            self._connection.decoded("audit", partial(_entry, fields))
            for _id, fields in found or ()
        )
        return [entry for entry in read if entry is not None]

    async def _ask(self, ask: "Callable[[Redis], Awaitable[Any]]") -> Any:
        try:
            return await self._connection.call_in_background("steering", ask)
        except RedisUnavailable as error:
            raise SteeringUnavailable(
                "Live orders cannot be read or changed now, as Redis does not answer. "
                "What is in force stays.",
                advice="Try again when Redis is back, and look first whether it was changed.",
                retry_after_seconds=5.0,
            ) from error


def read_revision(found: bytes | None) -> int:
    """The number in the field `revision`. ValueError for what is none."""
    text = (found or b"0").decode("ascii")
    if not text.isdigit() or len(text) > MOST_DIGITS:
        raise ValueError("the revision is no number")
    return int(text)


def _entry(fields: dict[bytes, bytes]) -> AuditEntry:
    return AuditEntry.model_validate_json(fields[b"entry"])
