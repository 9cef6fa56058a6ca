"""Joining as the handlers see it: taken in, told of, renewed, and let go.

Every change goes through `Steering`, so that all replicas have it and the audit tells of it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import structlog
from pydantic import SecretStr

from binder_federation.binder.joining import JoinReply, JoinRequest, split_token
from binder_federation.binder.messages import CredentialRecord, Report, ReportReply
from binder_federation.binder.report_tokens import ReportClaims
from binder_federation.federation.joining.admissions import Admissions
from binder_federation.federation.joining.exchange import exchange
from binder_federation.federation.joining.keys import JoiningKey
from binder_federation.federation.joining.leaving import begin_to_leave, has_left, is_leaving
from binder_federation.federation.joining.places import Places
from binder_federation.federation.joining.replays import ReplayGuard
from binder_federation.federation.joining.rotation import confirm, is_pending
from binder_federation.federation.roster import Member
from binder_federation.federation.steering.audit import Actor
from binder_federation.federation.steering.document import JoinedMember, SteeringDocument
from binder_federation.federation.steering.steering import Steering
from binder_federation.federation.steering.store import SteeringUnavailable
from binder_federation.runtime.tasks import BackgroundTasks

log = structlog.get_logger(__name__)

LEAVE_SECONDS = 3.0
"""A report so soon after the leave may be from before it."""


class Joining:
    """Members that come by invitation, and what becomes of them."""

    def __init__(
        self,
        *,
        key: JoiningKey,
        places: Places,
        steering: Steering,
        admissions: Admissions,
        replays: ReplayGuard,
        configured: Mapping[str, str],
        public_url: str,
        tasks: BackgroundTasks,
        clock: Callable[[], float],
    ) -> None:
        self.admissions = admissions
        self.replays = replays
        self._key = key
        self._places = places
        self._steering = steering
        self._configured = configured
        self._public_url = public_url
        self._tasks = tasks
        self._clock = clock
        self._changing: set[str] = set()

    def check_is_on(self) -> None:
        """Raises `JoiningIsOff` when nobody could use an invitation."""
        self._key.check()

    async def join(self, request: JoinRequest) -> JoinReply:
        """Take a member in. Raises what `exchange` does, `JoiningIsOff`, `SteeringUnavailable`."""
        self._key.check()
        now = self._clock()
        known = self._try(self._steering.current, request, now)
        if known is not None:
            return self._reply(known)
        for url in filter(None, (request.url, request.public_url)):
            await self._places.check(url)
        joined: list[JoinedMember] = []

        def edit(document: SteeringDocument) -> SteeringDocument:
            made = exchange(document, request, configured=self._configured, now=now)
            joined.append(made.member)
            return made.document

        await self._steering.change(
            edit,
            actor=Actor("invitation"),
            action="join",
            subject=self._invited_name(request),
            detail=f"{self._invitation_id(request)} at {request.url}, {request.stack}",
        )
        log.info("member_joined", member=joined[-1].name, url=request.url, stack=request.stack)
        return self._reply(joined[-1])

    async def leave(self, member: Member) -> None:
        """Drain it; it is gone when its sessions have ended, at once if it never had any."""
        now = self._clock()

        def edit(document: SteeringDocument) -> SteeringDocument:
            leaving = begin_to_leave(document, member.name, now=now)
            return has_left(leaving, member.name, now=now) if member.is_joining else leaving

        await self._steering.change(
            edit, actor=Actor(member.name), action="leave", subject=member.name
        )

    def after_report(
        self, member: Member, claims: ReportClaims | None, report: Report
    ) -> CredentialRecord | None:
        """What follows from a report that was taken; the credential that its reply is to bring."""
        if not member.is_joined or claims is None:
            return None
        self.admissions.consider(member)
        document, now = self._steering.current, self._clock()
        joined = document.joined.get(member.name)
        if joined is None:
            return None
        if is_leaving(document, member.name):
            self._see_off(joined, report, now)
        if claims.generation < joined.generation:
            secret = self._key.credential(joined.name, joined.generation)
            return CredentialRecord(generation=joined.generation, secret=SecretStr(secret))
        if is_pending(joined, now):
            self._change_later(
                joined.name,
                "rotated",
                lambda document: confirm(document, joined.name, joined.generation),
            )
        return None

    def _see_off(self, joined: JoinedMember, report: Report, now: float) -> None:
        is_old = joined.leaving_since is None or now - joined.leaving_since < LEAVE_SECONDS
        if is_old or report.load.running or report.load.pending:
            return
        self._change_later(
            joined.name, "left", lambda document: has_left(document, joined.name, now=now)
        )

    def _change_later(
        self, name: str, action: str, edit: Callable[[SteeringDocument], SteeringDocument]
    ) -> None:
        """In the background: the report's answer does not wait for it, and the next one asks
        again if it could not be done."""
        if name in self._changing:
            return
        self._changing.add(name)
        self._tasks.start(self._change(name, action, edit), name=f"{action}-{name}")

    async def _change(
        self, name: str, action: str, edit: Callable[[SteeringDocument], SteeringDocument]
    ) -> None:
        try:
            await self._steering.change(edit, actor=Actor(name), action=action, subject=name)
        except SteeringUnavailable:
            log.info("member_not_changed", member=name, action=action)
        finally:
            self._changing.discard(name)

    def _try(
        self, document: SteeringDocument, request: JoinRequest, now: float
    ) -> JoinedMember | None:
        """The member that this same request made before: no further change is needed."""
        invitation = document.invitations.get(self._invitation_id(request))
        if invitation is None or invitation.used_at is None:
            return None
        return exchange(document, request, configured=self._configured, now=now).member

    def _invited_name(self, request: JoinRequest) -> str:
        invitation = self._steering.current.invitations.get(self._invitation_id(request))
        return invitation.name if invitation else ""

    def _invitation_id(self, request: JoinRequest) -> str:
        return split_token(request.token.get_secret_value())[0]

    def _reply(self, member: JoinedMember) -> JoinReply:
        return JoinReply(
            name=member.name,
            credential=SecretStr(self._key.credential(member.name, member.generation)),
            federation=self._public_url,
            weight=member.weight,
            generation=member.generation,
        )


def add_credential(reply: ReportReply, credential: CredentialRecord | None) -> dict[str, Any]:
    """The answer's body; the credential is in clear there alone."""
    body = reply.model_dump(mode="json", exclude_none=True, exclude={"credential"})
    return body if credential is None else {**body, "credential": credential.to_body()}
