"""The document in Redis, for all replicas: a hash that is compared before it is written.

A write that is not answered in time may have been done: then the next question for the
revision brings it, with its audit entry, and whoever asked for it was told to look.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import ValidationError

from binder_federation.federation.shared.connection import RedisConnection, RedisUnavailable
from binder_federation.federation.steering.audit import MOST_ENTRIES, AuditEntry
from binder_federation.federation.steering.document import SteeringDocument
from binder_federation.federation.steering.store import SteeringUnavailable
from binder_federation.federation.steering.stores.scripts import REPLACE

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = structlog.get_logger(__name__)


class RedisSteeringStore:
    """A `SteeringStore` in Redis."""

    def __init__(self, connection: RedisConnection) -> None:
        self._connection = connection
        self._document_key = connection.keys.steering
        self._audit_key = connection.keys.steering_audit

    async def revision(self) -> int:
        """The revision of the document that is kept; 0 when there is none."""
        found = await self._ask(lambda client: client.hget(self._document_key, "revision"))
        return int(found or 0)

    async def load(self) -> SteeringDocument | None:
        """The document that is kept. One that cannot be read is as good as none."""
        found = await self._ask(lambda client: client.hget(self._document_key, "document"))
        if not found:
            return None
        try:
            return SteeringDocument.model_validate_json(found)
        except ValidationError as error:
            log.exception("steering_not_readable")
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
        return [AuditEntry.model_validate_json(fields[b"entry"]) for _id, fields in found]

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
