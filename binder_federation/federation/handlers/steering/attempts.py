"""The way of each change: who asks, may they, the change, and the audit of both ends of it.

An attempt that is refused is in the audit too, if it came with a good token. A stranger's is
not: anybody could fill the audit.
"""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from aiohttp import web

from binder_federation.config.admin import Scope
from binder_federation.federation.context import CONTEXT, FederationContext
from binder_federation.federation.handlers.admin import check_admin, identify
from binder_federation.federation.orders.errors import InvalidOrder, RevisionChanged
from binder_federation.federation.orders.subjects import Configured
from binder_federation.federation.steering.audit import Actor
from binder_federation.federation.steering.document import SteeringDocument, Word
from binder_federation.federation.steering.store import SteeringUnavailable
from binder_federation.runtime.errors import ServiceError
from binder_federation.runtime.web import json_ok

IF_MATCH = re.compile(r'"[0-9]{1,15}"', re.ASCII)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Attempt:
    """One operator's wish to change something."""

    context: FederationContext
    actor: Actor
    now: float
    action: str
    subject: str
    expected_revision: int | None
    """Of `If-Match`: the change is for this document only."""
    reason: str = ""
    until: float | None = None
    detail: str = ""

    @property
    def configured(self) -> Configured:
        """The settings' members by name."""
        return {member.name: member for member in self.context.settings.members}

    def explain(self, reason: str, *, until: float | None = None, detail: str = "") -> None:
        """Say why, until when, and what exactly: for the audit, and for the order itself."""
        self.reason, self.until, self.detail = reason.strip(), until, detail

    def require_reason(self) -> None:
        """Raises `InvalidOrder` when nobody would learn why."""
        if not self.reason:
            raise InvalidOrder(
                "This needs a reason.", advice="Others will ask: send one line as `reason`."
            )

    def word(self) -> Word:
        """What goes with the order."""
        return Word(by=self.actor.name, at=self.now, reason=self.reason, until=self.until)

    async def change(
        self, edit: Callable[[SteeringDocument], SteeringDocument]
    ) -> SteeringDocument:
        """The document after `edit`, in force. Raises `RevisionChanged`, and what `edit` does."""

        def checked(document: SteeringDocument) -> SteeringDocument:
            if self.expected_revision not in (None, document.revision):
                raise RevisionChanged(
                    f"The revision is {document.revision} by now.",
                    advice="Look at what has changed, and send the order anew.",
                )
            return edit(document)

        document = await self.context.steering.change(
            checked,
            actor=self.actor,
            action=self.action,
            subject=self.subject,
            reason=self.reason,
            until=self.until,
            detail=self.detail,
        )
        await self.context.applying.settle()
        return document


@asynccontextmanager
async def attempt(
    request: web.Request, scope: Scope, *, action: str, subject: str = ""
) -> AsyncIterator[Attempt]:
    """An attempt of whoever sent `request`. A refusal inside is noted in the audit.

    Raises `NotAuthorized`, also as `ScopeNeeded`.
    """
    context = request.app[CONTEXT]
    made = Attempt(
        context=context,
        actor=Actor(identify(request).name),
        now=context.clock(),
        action=action,
        subject=subject[:100],
        expected_revision=None,
    )
    try:
        check_admin(request, scope)
        made.expected_revision = _expected_revision(request)
        yield made
    except SteeringUnavailable:
        raise  # nowhere to note it
    except ServiceError as error:
        await _note_refusal(made, error)
        raise


def answer(body: dict[str, object], *, revision: int, status: int = 200) -> web.Response:
    """A JSON answer that names the revision, also as an ETag."""
    response = json_ok({"revision": revision, **body}, status=status)
    response.headers["ETag"] = f'"{revision}"'
    return response


async def _note_refusal(made: Attempt, error: ServiceError) -> None:
    try:
        await made.context.steering.note_refusal(
            actor=made.actor,
            action=made.action,
            subject=made.subject,
            reason=made.reason,
            until=made.until,
            detail=f"refused ({error.code}): {error.message}",
        )
    except SteeringUnavailable:
        log.warning(
            "steering_refusal_not_noted", by=made.actor.name, action=made.action, code=error.code
        )


def _expected_revision(request: web.Request) -> int | None:
    given = request.headers.get("If-Match", "*")
    if given == "*":
        return None
    if not IF_MATCH.fullmatch(given):
        raise InvalidOrder("If-Match holds no revision.", advice='Send it as If-Match: "7".')
    return int(given.strip('"'))
