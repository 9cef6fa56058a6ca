"""Brings what is in force to those who act by it: the roster and the policy.

Called with each document, and when time alone changes what one means. The roster tells its own
listeners what differs, so that a member that came is watched and one that left is forgotten.
"""

import asyncio
import re
from collections.abc import Sequence

import structlog

from binder_federation.federation.core.member import Member
from binder_federation.federation.core.steering import (
    CredentialOf,
    effective,
    revoked,
    without_overtaken,
)
from binder_federation.federation.limits.live_policy import LivePolicy
from binder_federation.federation.roster import Roster, RosterChange
from binder_federation.federation.steering.additions import NOTHING_ADDED, find_additions
from binder_federation.federation.steering.audit import FEDERATION
from binder_federation.federation.steering.document import SteeringDocument
from binder_federation.federation.steering.steering import Steering
from binder_federation.federation.steering.store import SteeringUnavailable
from binder_federation.runtime.tasks import BackgroundTasks

log = structlog.get_logger(__name__)

SETTLE_SECONDS = 5.0


def no_credential(_name: str, _generation: int) -> str:
    """Where joining is off: nobody has the credential "", so that nobody reports under it."""
    return ""


class Applying:
    """Keeps `roster` and `policy` at what `steering` and the settings say together."""

    def __init__(
        self,
        *,
        steering: Steering,
        configured: Sequence[Member],
        credential_of: CredentialOf,
        roster: Roster,
        policy: LivePolicy,
        tasks: BackgroundTasks,
    ) -> None:
        self._steering = steering
        self._configured = tuple(configured)
        self._credential_of = credential_of
        self._roster = roster
        self._policy = policy
        self._tasks = tasks
        self._additions = NOTHING_ADDED
        self._adding: asyncio.Task[None] | None = None
        self._hidden: frozenset[str] = frozenset()
        steering.subscribe(self._apply)

    async def start(self) -> None:
        """Begin to follow, with everything in force that the store knows now."""
        await self._steering.start(self._tasks)
        await self._add_to_policy()
        await self._drop_overtaken()

    def _apply(self, document: SteeringDocument, now: float) -> None:
        change = self._roster.replace(
            effective(self._configured, document, now, credential_of=self._credential_of),
            revoked=revoked(self._configured, document, now, credential_of=self._credential_of),
        )
        _tell(change)
        self._tell_of_hidden(document)
        additions = find_additions(document, now)
        if additions != self._additions:
            self._additions = additions
            self._adding = self._tasks.start(self._add_to_policy(), name="add-to-policy")

    async def settle(self) -> None:
        """Wait until what was changed last is in force here, but not longer than some seconds."""
        if self._adding is not None:
            await asyncio.wait({self._adding}, timeout=SETTLE_SECONDS)

    async def _add_to_policy(self) -> None:
        """Nothing is awaited before the additions are read: the last call has the last ones."""
        if self._additions == NOTHING_ADDED and not self._policy.has_overlay:
            return
        try:
            policy = await self._policy.use(overlay=self._additions.over)
        except (ValueError, re.error):
            log.exception("steered_policy_not_usable")  # what was in force stays
            return
        log.info("policy_steered", digest=policy.for_members.digest)

    async def _drop_overtaken(self) -> None:
        """Take out the orders whose settings have changed since: Git's word is the newer one."""
        _, overtaken = without_overtaken(self._steering.current, self._configured)
        for name in overtaken:
            try:
                await self._steering.change(
                    lambda document: without_overtaken(document, self._configured)[0],
                    actor=FEDERATION,
                    action="overtaken",
                    subject=name,
                    reason="The settings of this member have changed since the order was given.",
                )
            except SteeringUnavailable:
                return  # they do not hold anyway, as long as the settings are these

    def _tell_of_hidden(self, document: SteeringDocument) -> None:
        """A member that joined under a name of the settings is hidden by that one."""
        hidden = frozenset(member.name for member in self._configured) & document.joined.keys()
        for name in hidden - self._hidden:
            log.warning("joined_member_hidden", member=name, reason="the settings have this name")
        self._hidden = hidden


def _tell(change: RosterChange) -> None:
    if change.added or change.removed:
        log.info(
            "roster_changed",
            added=[member.name for member in change.added],
            removed=[member.name for member in change.removed],
        )
